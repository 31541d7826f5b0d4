import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sendmail, startSendmail } from "../../integrations/sendmail/rig.ts";
import { netstring } from "../bridge/support/sockets.ts";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, type Edge, startBridge, startEdge } from "./support/command.ts";
import { type Reply, SmtpSession } from "./support/smtp-client.ts";
import { inTime } from "./support/waiting.ts";
import { expectWritten, table } from "./support/written.ts";

/* Debian's Sendmail with the file of integrations/sendmail, a real bridge and a real edge. */

const STRANGER = "127.0.0.3";
const DOMAINS = ["example.com", "xn--bcher-kva.example", "example.net"];
const DEFERRAL = "451 4.3.0 recipient cannot be checked now, try again later";

const CASES: readonly (readonly [what: string, rcpt: string, code: string, from?: string])[] = [
  ["deliverable", "alice@example.com", "250 2.1.5"],
  ["unknown", "nobody@example.com", "550 5.1.1"],
  ["disabled", "leaver@example.com", "550 5.2.1"],
  ["moved", "elsewhere@example.com", "550 5.1.6"],
  ["full", "overfull@example.com", "452 4.2.2"],
  ["departed", "gone@example.com", "450 4.2.1"],
  ["relayed here, without a published list", "alice@example.net", "550 5.7.1"],
  ["foreign domain", "someone@foreign.example", "550 5.7.1"],
  ["subdomain of a relayed domain", "alice@sub.example.com", "550 5.7.1"],
  ["subaddress", "alice+lists@example.com", "250 2.1.5"],
  ["quoted", '"john doe"@example.com', "250 2.1.5"],
  ["quoted, unknown", '"jane doe"@example.com', "550 5.1.1"],
  ["quoted @", '"a@b"@example.com', "250 2.1.5"],
  ["%", "per%cent@example.com", "250 2.1.5"],
  ["% as a route through this server", "nobody%example.com@mx.example.org", "550 5.1.1"],
  ["! as a route through this server", "mx.example.org!example.com!nobody", "550 5.1.1"],
  ["route through this server, quoted", '"nobody@example.com"@mx.example.org', "550 5.1.1"],
  ["IDN", "info@xn--bcher-kva.example", "250 2.1.5"],
  ["IDN, unknown", "nobody@xn--bcher-kva.example", "550 5.1.1"],
  ["postmaster", "PostMaster@example.com", "250 2.1.5"],
  ["bare postmaster: an alias of this server", "Postmaster", "250 2.1.5"],
  ["client of this host: foreign domain", "someone@foreign.example", "250 2.1.5", "127.0.0.1"],
  ["client of this host: unknown", "nobody@example.com", "550 5.1.1", "127.0.0.1"],
];

const lineOf = ({ code, enhanced, text }: Reply): string => [code, enhanced, text].filter(Boolean).join(" ");

const open = (port: number, from = STRANGER): Promise<SmtpSession> =>
  SmtpSession.open({ port, from, sender: "someone@elsewhere.example" });

/** What stands at the bridge's address sends instead of an answer. */
const BYTES: Readonly<Record<string, (socket: Socket) => unknown>> = {
  "closes without an answer": (socket) => socket.end(),
  "resets the connection": (socket) => socket.resetAndDestroy(),
  "half an accept": (socket) => socket.end("5:OK O"),
  "half a refusal": (socket) => socket.end('60:OK ERROR:5.1.1:"550'),
  "no comma": (socket) => socket.end("5:OK OK;"),
  "no length": (socket) => socket.write("OK OK\n"),
  "nothing in it": (socket) => socket.write("0:,"),
  NOTFOUND: (socket) => socket.write(netstring("NOTFOUND ")),
  PERM: (socket) => socket.write(netstring("PERM no")),
  TEMP: (socket) => socket.write(netstring("TEMP later")),
  "a word in lower case": (socket) => socket.write(netstring("ok OK")),
  "an unknown word": (socket) => socket.write(netstring("VANISHED OK")),
  "an accept in other words": (socket) => socket.write(netstring("OK DUNNO")),
  "a reply line": (socket) => socket.write(netstring("OK 550 5.1.1 no")),
  "more than OK": (socket) => socket.write(netstring("OK OK OK")),
  "a refusal without a text": (socket) => socket.write(netstring("OK ERROR:5.1.1:")),
  "an error without an enhanced code": (socket) => socket.write(netstring("OK ERROR:550 no")),
  "a code that is no error": (socket) => socket.write(netstring('OK ERROR:2.1.5:"250 ok"')),
  HTML: (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "slow: is silent": () => undefined,
  "slow: promises more than it sends": (socket) => socket.write("9:OK OK,"),
};
const FAULTS = Object.entries(BYTES);

/** A socketmap at the bridge's address. It tells the truth about known and nobody, and misbehaves about faultN. */
async function startSocketmap(cleanup: Cleanup): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.once("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      const [, local, fault] = /sendmail (\w*?)(\d*)@/.exec(`${bytes}`) ?? [];
      if (local === "fault") FAULTS[Number(fault)]?.[1](socket);
      else socket.write(netstring(local === "known" ? "OK OK" : 'OK ERROR:5.1.1:"550 no such mailbox"'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `inet:${(server.address() as AddressInfo).port}@127.0.0.1`;
}

describe.skipIf(sendmail.missing !== null)(
  `Sendmail${sendmail.missing ? ` (${sendmail.missing})` : ""}`,
  () => {
    const cleanup = new Cleanup();
    let edge: Edge;
    let bridge: Bridge;
    let server: Awaited<ReturnType<typeof startSendmail>>;

    beforeAll(async () => {
      edge = await startEdge(cleanup);
      const stay = [
        ...["leaver@example.com,disabled", "elsewhere@example.com,moved", "overfull@example.com,full"],
        ...['"""john doe""@example.com",active', '"""a@b""@example.com",active'],
        ...["alice@example.com,active", "per%cent@example.com,active"],
      ];
      await edge.publish("example.com", [...stay, "gone@example.com,active"]);
      await edge.publish("example.com", stay);
      await edge.publish("xn--bcher-kva.example", ["info@xn--bcher-kva.example,active"]);
      bridge = await startBridge(edge, cleanup);
      server = await startSendmail(`inet:${bridge.ports.socketmap}@127.0.0.1`, DOMAINS);
      cleanup.add(() => server.stop());
    });
    afterAll(() => cleanup.run());

    it("refuses, defers and accepts with the edge's codes and texts", async () => {
      const rows: string[][] = [];
      const sessions = new Map<string, SmtpSession>();
      for (const [what, rcpt, code, from = STRANGER] of CASES) {
        const session = sessions.get(from) ?? (await open(server.port, from));
        sessions.set(from, session);
        const reply = lineOf(await session.rcpt(`<${rcpt}>`));
        expect(reply, rcpt).toMatch(new RegExp(`^${code.replaceAll(".", "\\.")} `));
        rows.push([what, `\`<${rcpt}>\``, `\`${reply}\``]);
      }
      for (const session of sessions.values()) await session.quit();
      expectWritten("sendmail.md", "replies", table(["RCPT TO", "as sent", "reply"], rows));
    });

    it("shows what the rules make of a recipient in sendmail -bt, as the page says", () => {
      const asked =
        ".D{client_addr}192.0.2.1\nLocal_check_rcpt <alice@example.com>\nLocal_check_rcpt <nobody@example.com>\n";
      const said = server.installed.run("/usr/libexec/sendmail/sendmail", ["-bt"], asked);
      expect(said).toMatch(/^Local_check_rcpt +returns: OK$/m);
      expect(said).toMatch(
        /^Local_check_rcpt +returns: \$# error \$@ 5 \. 1 \. 1 \$: "550 no such mailbox here"$/m,
      );
    });

    it("loses no lookup of an open session when the bridge is replaced (SIGUSR2)", async () => {
      const session = await open(server.port);
      let over = false;
      const asking = (async () => {
        const codes: number[] = [];
        for (let i = 0; !over; i++) {
          codes.push((await session.rcpt(`<${i % 2 ? "nobody" : "alice"}@example.com>`)).code);
        }
        return codes;
      })();
      await bridge.replace();
      await bridge.replace();
      over = true;
      const codes = await asking;
      expect(codes.length).toBeGreaterThan(10);
      expect(codes).toEqual(codes.map((_, i) => (i % 2 ? 550 : 250)));
      await session.quit();
    });

    it("defers once in an open session after a restart, and in the whole session if the bridge is down", async () => {
      const session = await open(server.port);
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await bridge.stop();
      await bridge.start();
      // The connection that it kept is closed.
      expect(lineOf(await session.rcpt("<alice@example.com>"))).toBe(DEFERRAL);
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await session.expect(550, session.rcpt("<nobody@example.com>"));
      await bridge.stop();
      for (const local of ["alice", "nobody", "alice"]) {
        expect(lineOf(await session.rcpt(`<${local}@example.com>`))).toBe(DEFERRAL);
      }
      await bridge.start();
      // Sendmail does not open a map again that it could not open.
      expect(lineOf(await session.rcpt("<alice@example.com>"))).toBe(DEFERRAL);
      const fresh = await open(server.port);
      await fresh.expect(250, fresh.rcpt("<alice@example.com>"));
      await fresh.expect(550, fresh.rcpt("<nobody@example.com>"));
      for (const each of [session, fresh]) await each.quit();
    });

    it("defers after four seconds if the bridge hangs, and asks again when it is back", async () => {
      const session = await open(server.port);
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await inTime(5_000, async () => {
        bridge.signal("SIGSTOP");
        const reply = await session.rcpt("<alice@example.com>");
        bridge.signal("SIGCONT");
        expect(lineOf(reply)).toMatch(/^451 4\.3\.0 socket_map_lookup\(sendmail\): read timeout/);
        expect(reply.ms).toBeGreaterThan(3_500);
        // The connection that it kept is closed.
        await session.expect(250, session.rcpt("<alice@example.com>"));
        return reply;
      });
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await session.expect(550, session.rcpt("<nobody@example.com>"));
      await session.quit();
    });

    it("defers whatever else answers at the bridge's address, at once or after four seconds", async () => {
      const own = new Cleanup();
      try {
        const { port, stop, isRunning } = await startSendmail(await startSocketmap(own), DOMAINS);
        own.add(stop);
        await Promise.all(
          FAULTS.map(async ([name], fault) => {
            const isSlow = name.startsWith("slow: ");
            await inTime(isSlow ? 5_000 : 3_000, async () => {
              const session = await open(port);
              await session.expect(
                fault % 2 ? 250 : 550,
                session.rcpt(`<${fault % 2 ? "known" : "nobody"}@example.com>`),
              );
              const reply = await session.rcpt(`<fault${fault}@example.com>`);
              expect(lineOf(reply), name).toMatch(/^451 4\.3\.0 /);
              expect(reply.ms, name).toBeGreaterThan(isSlow ? 3_500 : 0);
              const fresh = await open(port);
              await fresh.expect(250, fresh.rcpt("<known@example.com>"));
              await fresh.expect(550, fresh.rcpt("<nobody@example.com>"));
              for (const each of [session, fresh]) await each.quit();
              return reply;
            });
          }),
        );
        expect(isRunning()).toBe(true);
      } finally {
        await own.run();
      }
    });
  },
);

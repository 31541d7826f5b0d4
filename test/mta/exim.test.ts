import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exim, startExim } from "../../integrations/exim/rig.ts";
import type { Way } from "../../integrations/rig.ts";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, type Edge, folder, startBridge, startEdge } from "./support/command.ts";
import { type Reply, SmtpSession } from "./support/smtp-client.ts";
import { inTime, until } from "./support/waiting.ts";
import { expectWritten, table } from "./support/written.ts";

/* Debian's Exim with the files of integrations/exim, a real bridge and a real edge. */

const STRANGER = "127.0.0.3";
const OWN_NETWORK = "127.0.0.2";
const DOMAINS = ["example.com", "xn--bcher-kva.example", "example.net"];
const DEFERRAL = "451 4.3.0 recipient cannot be checked now, try again later";

const CASES: readonly (readonly [what: string, rcpt: string, code: string, from?: string])[] = [
  ["deliverable", "alice@example.com", "250"],
  ["unknown", "nobody@example.com", "550 5.1.1"],
  ["disabled", "leaver@example.com", "550 5.2.1"],
  ["moved", "elsewhere@example.com", "550 5.1.6"],
  ["full", "overfull@example.com", "452 4.2.2"],
  ["departed", "gone@example.com", "450 4.2.1"],
  ["relayed here, without a published list", "alice@example.net", "550 5.7.1"],
  ["foreign domain", "someone@foreign.example", "550"],
  ["subdomain of a relayed domain", "alice@sub.example.com", "550"],
  ["subaddress", "alice+lists@example.com", "250"],
  ["quoted", '"john doe"@example.com', "250"],
  ["quoted, unknown", '"jane doe"@example.com', "550 5.1.1"],
  ["IDN", "info@xn--bcher-kva.example", "250"],
  ["IDN, unknown", "nobody@xn--bcher-kva.example", "550 5.1.1"],
  ["postmaster", "PostMaster@example.com", "250"],
  ["%, which Debian's ACL does not take", "per%cent@example.com", "550"],
  ["client of the own network: foreign domain", "someone@foreign.example", "250", OWN_NETWORK],
  ["client of the own network: unknown", "nobody@example.com", "250", OWN_NETWORK],
];

const lineOf = ({ code, enhanced, text }: Reply): string => [code, enhanced, text].filter(Boolean).join(" ");

const open = (port: number, from = STRANGER): Promise<SmtpSession> =>
  SmtpSession.open({ port, from, sender: "someone@elsewhere.example" });

describe.skipIf(exim.missing !== null)(`Exim${exim.missing ? ` (${exim.missing})` : ""}`, () => {
  const cleanup = new Cleanup();
  let edge: Edge;
  let bridge: Bridge;
  const servers = new Map<Way, Awaited<ReturnType<typeof startExim>>>();
  const serverOf = (way: Way) => servers.get(way) as Awaited<ReturnType<typeof startExim>>;
  const rows: string[][] = [];

  beforeAll(async () => {
    edge = await startEdge(cleanup);
    const list = ["leaver@example.com,disabled", "elsewhere@example.com,moved", "overfull@example.com,full"];
    const active = ["alice@example.com", '"""john doe""@example.com"', "per%cent@example.com"];
    const stay = [...list, ...active.map((address) => `${address},active`)];
    await edge.publish("example.com", [...stay, "gone@example.com,active"]);
    await edge.publish("example.com", stay);
    await edge.publish("xn--bcher-kva.example", ["info@xn--bcher-kva.example,active"]);
    bridge = await startBridge(edge, cleanup);
    for (const way of exim.ways) {
      const server = await startExim(way, `inet:127.0.0.1:${bridge.ports.line}`, DOMAINS);
      cleanup.add(() => server.stop());
      servers.set(way, server);
    }
  });
  afterAll(() => cleanup.run());

  it("refuses, defers and accepts with the edge's own replies", async () => {
    for (const [what, rcpt, code, from] of CASES) {
      const seen = await Promise.all(
        exim.ways.map(async (way) => {
          const session = await open(serverOf(way).port, from);
          const reply = lineOf(await session.rcpt(`<${rcpt}>`));
          await session.quit();
          return reply;
        }),
      );
      for (const reply of seen)
        expect(`${reply} `, rcpt).toMatch(new RegExp(`^${code.replaceAll(".", "\\.")} `));
      expect(new Set(seen).size, `${rcpt}: ACL and router say the same`).toBe(1);
      rows.push([what, `\`<${rcpt}>\``, `\`${seen[0]}\``]);
    }
    expectWritten("exim.md", "replies", table(["RCPT TO", "as sent", "reply"], rows));
  });

  it.each([...exim.ways])("$title: shows the answer in exim -bv and exim -bh, as the page says", (way) => {
    const { installed } = serverOf(way);
    if (way.name === "router") {
      const said = installed.ask("exim4", ["-bv", "alice@example.com", "nobody@example.com"]);
      expect(said).toMatch(
        /^alice@example\.com verified\nnobody@example\.com failed to verify: 550 5\.1\.1 /,
      );
    }
    const dialogue = [
      "EHLO c.example",
      "MAIL FROM:<a@elsewhere.example>",
      "RCPT TO:<nobody@example.com>",
      "QUIT",
    ];
    const said = installed.run("exim4", ["-bh", "192.0.2.1"], `${dialogue.join("\r\n")}\r\n`);
    expect(said).toMatch(/^550 5\.1\.1 <nobody@example\.com>: no such mailbox here\r?$/m);
    expect(installed.run("exim4", ["-bt", "alice@example.com"])).toMatch(/router = hubbed_hosts/);
  });

  it.each([...exim.ways])(
    "$title: defers all recipients of a message while the bridge is down, and asks again when it is back",
    async (way) => {
      const session = await open(serverOf(way).port);
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await session.expect(550, session.rcpt("<nobody@example.com>"));
      await bridge.stop();
      for (let i = 0; i < 20; i++) {
        const rcpt = () => session.rcpt(`<${i % 2 ? "alice" : "nobody"}@example.com>`);
        expect(lineOf(await inTime(1_000, rcpt))).toBe(DEFERRAL);
      }
      await bridge.start();
      await session.expect(250, session.rcpt("<alice@example.com>"));
      await session.expect(550, session.rcpt("<nobody@example.com>"));
      await session.quit();
    },
  );

  it("loses no lookup of an open session when the bridge is replaced (SIGUSR2)", async () => {
    const sessions = await Promise.all(exim.ways.map((way) => open(serverOf(way).port)));
    let over = false;
    const asking = sessions.map(async (session) => {
      const codes: number[] = [];
      for (let i = 0; !over; i++)
        codes.push((await session.rcpt(`<${i % 2 ? "nobody" : "alice"}@example.com>`)).code);
      return codes;
    });
    await bridge.replace();
    await bridge.replace();
    over = true;
    for (const codes of await Promise.all(asking)) {
      expect(codes.length).toBeGreaterThan(10);
      expect(codes).toEqual(codes.map((_, i) => (i % 2 ? 550 : 250)));
    }
    for (const session of sessions) await session.quit();
  });

  it("does not survive a unix socket that it could not connect to: the page has TCP only", async () => {
    const own = new Cleanup();
    try {
      const home = folder(own);
      chmodSync(home, 0o755);
      const path = join(home, "line");
      await startBridge(edge, own, ["--line", `unix:${path}`]);
      const group = Number(execFileSync("id", ["-g", "Debian-exim"], { encoding: "utf8" }));
      const [way] = exim.ways as [Way];
      const server = await startExim(way, path, DOMAINS);
      own.add(() => server.stop());
      const session = await open(server.port);
      // Root's socket, mode 0660: Exim asks as Debian-exim, and cannot connect.
      expect(lineOf(await session.rcpt("<alice@example.com>"))).toBe(DEFERRAL);
      chownSync(path, 0, group);
      // It uses the descriptor that it has closed.
      const codes = [
        (await session.rcpt("<alice@example.com>")).code,
        (await session.rcpt("<alice@example.com>")).code,
      ];
      expect(codes).not.toEqual([250, 250]);
      session.destroy();
      const fresh = await open(server.port);
      await fresh.expect(250, fresh.rcpt("<alice@example.com>"));
      await fresh.expect(550, fresh.rcpt("<nobody@example.com>"));
      await fresh.quit();
    } finally {
      await own.run();
    }
  });

  it("takes a certificate that is not the edge's: the page has no way without the bridge", async () => {
    const own = new Cleanup();
    try {
      const home = folder(own);
      const [key, cert] = [join(home, "key"), join(home, "cert")];
      const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=wrong.example -keyout ${key} -out ${cert}`;
      execFileSync("openssl", make.split(" "), { stdio: "ignore" });
      const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
        socket.on("error", () => undefined).end("250 2.1.5 a lie\n");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      own.add(() => server.close());
      const { port } = server.address() as AddressInfo;
      const [way] = exim.ways as [Way];
      const asked = `\${readsocket{inet:localhost:${port}}{GET /}{5s:tls=yes:sni=rollcall.example.org}{}{refused}}`;
      const command = serverOf(way).installed.start("exim4", ["-be", asked]);
      await command.ended;
      await until("it has said what it read", () => command.output.includes("a lie"));
    } finally {
      await own.run();
    }
  });
});

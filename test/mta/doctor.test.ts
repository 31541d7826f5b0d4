import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../testing/ports.ts";
import { Cleanup } from "./support/cleanup.ts";
import { Command, type Edge, folder, startEdge } from "./support/command.ts";
import { page } from "./support/pages.ts";
import { type Postfix, startPostfix, WITHOUT_POSTFIX } from "./support/postfix.ts";

/*
 * `rollcall doctor --bridge` beside a real Postfix, a real bridge and a real edge.
 */

interface Step {
  readonly step: string;
  readonly state: string;
  readonly detail: string;
  readonly hint: string | null;
}

const cleanup = new Cleanup();

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `rollcall doctor --bridge${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    let edge: Edge;
    let home = "";
    let ports: { socketmap: number; policy: number };
    let postfix: Postfix;
    let bridge: Command;

    const settings = (): string => join(home, "rollcall.toml");
    const write = (bridgeSettings: string, url = edge.url): void =>
      writeFileSync(settings(), `url = "${url}"\n[bridge]\n${bridgeSettings}\n`);
    const listeners = (): string =>
      `socketmap = "127.0.0.1:${ports.socketmap}"\npolicy = "127.0.0.1:${ports.policy}"`;

    async function doctor(
      ...args: string[]
    ): Promise<{ code: number | null; steps: Step[]; stdout: string }> {
      const command = new Command(["doctor", "--bridge", "--token-file", "token", ...args], home, {
        MAIL_CONFIG: postfix.configuration,
        PATH: `${process.env.PATH}:/usr/sbin`,
      });
      const code = await command.ended;
      const steps = args.includes("--json") ? (JSON.parse(command.stdout) as { steps: Step[] }).steps : [];
      return { code, steps, stdout: command.stdout + command.stderr };
    }

    async function failures(...args: string[]): Promise<{ code: number | null; failed: Step[] }> {
      const { code, steps } = await doctor("--json", ...args);
      return { code, failed: steps.filter(({ state }) => state === "failed") };
    }

    async function startBridge(): Promise<void> {
      bridge = new Command(["bridge", "--token-file", "token"], home);
      await bridge.saying(/\bready\b/);
    }

    const mainCf = (): string => join(postfix.configuration, "main.cf");

    beforeAll(async () => {
      edge = await startEdge(cleanup);
      await edge.publish("example.com", ["alice@example.com,active", "postmaster@example.com,active"]);
      home = folder(cleanup);
      ports = { socketmap: await freePort(), policy: await freePort() };
      writeFileSync(join(home, "token"), edge.checkToken, { mode: 0o600 });
      write(listeners());
      const main = page("relay-recipient-maps", { ...ports, backend: 9 });
      postfix = await startPostfix({ name: "doctor.example.org", main }, cleanup);
      await startBridge();
      cleanup.add(() => bridge.stop());
    });
    afterAll(() => cleanup.run());

    it("finds that all is well, from the settings to what postmap gets", async () => {
      const { code, steps } = await doctor("--json");
      expect(steps.filter(({ state }) => state !== "ok")).toEqual([]);
      expect(steps.map(({ step }) => step)).toEqual([
        ...["settings", "token", "edge", "clock", "lists", "socketmap", "policy"],
        ...["log", "mail-server", "sockets", "lookups"],
      ]);
      const detailOf = (name: string): string | undefined => steps.find(({ step }) => step === name)?.detail;
      expect(detailOf("lists")).toBe("the token covers example.com");
      expect(detailOf("socketmap")).toMatch(/^127\.0\.0\.1:\d+ answers OK deliverable$/);
      expect(detailOf("mail-server")).toMatch(
        /^Postfix: relay_recipient_maps: socketmap:inet:127\.0\.0\.1:\d+:recipients/,
      );
      expect(detailOf("lookups")).toBe(
        "recipients postmaster@example.com: deliverable; recipients (a name that nobody has): not found",
      );
      expect(code).toBe(0);
      const shown = await doctor();
      expect(shown.stdout).toMatch(/^ok +lookups +recipients postmaster@example\.com: deliverable/m);
      expect(shown.stdout).toMatch(/everything works\n$/);
    });

    it("names settings that are wrong by file and line", async () => {
      write(`${listeners()}\ntimeout = 60`);
      const { code, failed } = await failures();
      expect(failed).toEqual([
        {
          step: "settings",
          state: "failed",
          detail: expect.stringMatching(
            /^rollcall\.toml has errors; rollcall\.toml:5: timeout must be a number/,
          ),
          hint: expect.stringContaining("fix these lines"),
        },
      ]);
      expect(code).toBe(3);
      write(listeners());
    });

    it("finds a token that others can read, one that is refused, and one that covers nothing", async () => {
      chmodSync(join(home, "token"), 0o644);
      expect((await failures()).failed).toEqual([
        expect.objectContaining({
          step: "token",
          detail: expect.stringMatching(/^every user can read .*token$/),
          hint: expect.stringMatching(/^chmod o= /),
        }),
      ]);
      chmodSync(join(home, "token"), 0o600);
      writeFileSync(join(home, "other"), "not-a-token", { mode: 0o600 });
      const refused = await failures("--token-file", "other");
      expect(refused.code).toBe(6);
      expect(refused.failed[0]).toMatchObject({
        step: "lists",
        hint: expect.stringContaining("rollcall token create"),
      });
      const narrow = await edge.rollcall(["token", "create", "--role", "check", "--domain", "other.example"]);
      writeFileSync(join(home, "narrow"), narrow, { mode: 0o600 });
      expect((await failures("--token-file", "narrow")).failed[0]).toMatchObject({
        step: "lists",
        detail: "the token covers no list",
      });
    });

    it("finds an edge that cannot be reached, and a clock that differs from the edge's", async () => {
      write(listeners(), "http://127.0.0.1:9");
      const away = await failures();
      expect(away.code).toBe(6);
      expect(away.failed[0]).toMatchObject({ step: "edge", detail: expect.stringContaining("ECONNREFUSED") });
      const server = createServer((_, response) => {
        response.setHeader("date", new Date(Date.now() - 120_000).toUTCString());
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ status: "ok", version: "0.1.0", faults: [] }));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      write(listeners(), `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const late = await failures();
      server.close();
      server.closeAllConnections();
      expect(late.failed[0]).toMatchObject({
        step: "clock",
        detail: expect.stringMatching(/^differs from the edge by 1(?:19|2\d) s$/),
        hint: expect.stringContaining("timedatectl set-ntp true"),
      });
      write(listeners());
    });

    it("finds a bridge that does not run, and what postmap says then", async () => {
      await bridge.stop();
      const { code, failed } = await failures();
      await startBridge();
      expect(code).toBe(1);
      expect(failed.map(({ step }) => step)).toEqual(["socketmap", "policy", "lookups"]);
      expect(failed[0]).toMatchObject({
        detail: expect.stringContaining("ECONNREFUSED"),
        hint: expect.stringContaining("systemctl start rollcall-bridge"),
      });
      expect(failed[2]?.detail).toMatch(
        /^postmap -q postmaster@example\.com socketmap:inet:.*(?:Connection refused|query error)/,
      );
    });

    it("finds that Postfix asks at an address where the bridge does not listen, or not at all", async () => {
      const before = readFileSync(mainCf(), "utf8");
      write(`line = "127.0.0.1:0"`);
      expect((await failures()).failed.find(({ step }) => step === "mail-server")).toMatchObject({
        detail: expect.stringMatching(
          /^relay_recipient_maps asks socketmap:inet:.*does not listen for socketmap$/,
        ),
        hint: expect.stringContaining("set socketmap in [bridge]"),
      });
      write(listeners());
      writeFileSync(mainCf(), before.replaceAll(/socketmap:\S+/g, ""));
      expect((await failures()).failed).toEqual([
        expect.objectContaining({
          step: "mail-server",
          detail: expect.stringContaining("Postfix does not ask the bridge"),
          hint: expect.stringContaining("docs/mta/postfix"),
        }),
      ]);
      writeFileSync(mainCf(), before);
    });

    it("asks a tcp table as it asks a socketmap", async () => {
      const before = readFileSync(mainCf(), "utf8");
      const tcp = await freePort();
      await bridge.stop();
      write(`tcp = "127.0.0.1:${tcp}"`);
      writeFileSync(mainCf(), before.replaceAll(/socketmap:\S+/g, `tcp:127.0.0.1:${tcp}`));
      await startBridge();
      const { steps } = await doctor("--json");
      expect(steps.filter(({ state }) => state !== "ok")).toEqual([]);
      expect(steps.find(({ step }) => step === "tcp")?.detail).toMatch(/ answers 200 deliverable$/);
      expect(steps.find(({ step }) => step === "lookups")?.detail).toBe(
        "recipients postmaster@example.com: deliverable; recipients (a name that nobody has): not found",
      );
      await bridge.stop();
      writeFileSync(mainCf(), before);
      write(listeners());
      await startBridge();
    });

    it("asks the listener of MTA Hooks as Stalwart does", async () => {
      await bridge.stop();
      write(`${listeners()}\nhooks = "127.0.0.1:${await freePort()}"`);
      await startBridge();
      const { steps } = await doctor("--json");
      expect(steps.filter(({ state }) => state !== "ok")).toEqual([]);
      expect(steps.find(({ step }) => step === "hooks")?.detail).toMatch(/ answers HTTP\/1\.1 200 OK$/);
      await bridge.stop();
      write(listeners());
      await startBridge();
    });

    it("finds a replica's folder that others can read, and one that no bridge uses", async () => {
      const replica = await edge.rollcall([
        "token",
        "create",
        "--role",
        "replica",
        "--domain",
        "example.com",
      ]);
      const check = readFileSync(join(home, "token"), "utf8");
      await bridge.stop();
      writeFileSync(join(home, "token"), replica);
      write(`${listeners()}\nreplica = "lists"`);
      expect((await failures()).failed).toContainEqual(
        expect.objectContaining({ step: "replica", detail: expect.stringMatching(/lists does not exist$/) }),
      );
      await startBridge();
      const { steps } = await doctor("--json");
      expect(steps.filter(({ state }) => state !== "ok")).toEqual([]);
      expect(steps.find(({ step }) => step === "replica")?.detail).toBe(
        `${join(home, "lists")} is used by process ${bridge.child.pid}`,
      );
      chmodSync(join(home, "lists"), 0o755);
      expect((await failures()).failed).toEqual([
        expect.objectContaining({ step: "replica", hint: `chmod 0700 ${join(home, "lists")}` }),
      ]);
      chmodSync(join(home, "lists"), 0o700);
      await bridge.stop();
      expect((await failures()).failed).toContainEqual(
        expect.objectContaining({ step: "replica", detail: `no bridge uses ${join(home, "lists")}` }),
      );
      writeFileSync(join(home, "token"), check);
      write(listeners());
      await startBridge();
    });

    describe("with a unix socket", () => {
      let before = { main: "", master: "" };
      const masterCf = (): string => join(postfix.configuration, "master.cf");
      const directory = (): string => join(postfix.folder, "queue", "rollcall");

      async function useSocket(path: string, mode = "0660"): Promise<void> {
        await bridge.stop();
        write(`socketmap = "unix:${path}"\nsocket_mode = "${mode}"`);
        appendFileSync(mainCf(), `\nrelay_recipient_maps = socketmap:unix:${path}:recipients\n`);
        await startBridge();
      }

      beforeAll(() => {
        before = { main: readFileSync(mainCf(), "utf8"), master: readFileSync(masterCf(), "utf8") };
        mkdirSync(directory());
        chmodSync(directory(), 0o755);
      });
      afterAll(async () => {
        writeFileSync(mainCf(), before.main);
        writeFileSync(masterCf(), before.master);
        await bridge.stop();
        write(listeners());
        await startBridge();
      });

      it("finds that all is well if Postfix's user may connect", async () => {
        await useSocket(join(directory(), "socketmap"), "0666");
        const { code, steps } = await doctor("--json");
        expect(steps.filter(({ state }) => state !== "ok")).toEqual([]);
        expect(steps.find(({ step }) => step === "sockets")?.detail).toBe("the user postfix can connect");
        expect(code).toBe(0);
      });

      it("finds permissions that keep Postfix's user out, of the socket and of a folder", async () => {
        await useSocket(join(directory(), "socketmap"), "0660");
        expect((await failures()).failed).toEqual([
          expect.objectContaining({
            step: "sockets",
            detail: expect.stringMatching(
              /socketmap: the user postfix may not write to it \(mode 0660, group 0\)$/,
            ),
            hint: expect.stringContaining("packaging/tmpfiles.d/rollcall-postfix.conf"),
          }),
        ]);
        chmodSync(directory(), 0o700);
        const { failed } = await failures();
        chmodSync(directory(), 0o755);
        expect(failed[0]?.detail).toMatch(
          /the user postfix may not enter .*\/queue\/rollcall \(mode 0700, group 0\)$/,
        );
      });

      it("finds a socket outside the chroot of smtpd", async () => {
        writeFileSync(masterCf(), before.master.replace(/inet n - n - - smtpd/, "inet n - y - - smtpd"));
        await useSocket(join(home, "socketmap"), "0666");
        expect((await failures()).failed[0]).toMatchObject({
          step: "sockets",
          detail: expect.stringMatching(/^smtpd runs in a chroot and cannot see .*\/socketmap$/),
          hint: expect.stringMatching(/queue\/rollcall\/socketmap, or on loopback$/),
        });
      });
    });
  },
);

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { opensmtpd } from "../../integrations/opensmtpd/rig.ts";
import type { MailServer, Way } from "../../integrations/rig.ts";
import { type EdgeFront, startEdgeFront } from "../conformance/faults/edge-front.ts";
import { listenersOf } from "../conformance/listeners.ts";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, startBridge } from "./support/command.ts";
import { SmtpSession } from "./support/smtp-client.ts";
import { inTime } from "./support/waiting.ts";

/*
 * What is special about OpenSMTPD: all sessions wait for one question, and smtpd exits when its table process does. The
 * corpus and the matrix of faults are in test/conformance.
 */

/** 127.0.0.1 is the host itself, about whose mail nothing is asked. */
const STRANGER = "127.0.0.3";

/** Process ids of tables that ask this port. */
function tablesAsking(port: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith(`opensmtpd-table\0/127.0.0.1:${port}\0`);
      } catch {
        return false;
      }
    });
}

describe.skipIf(opensmtpd.missing !== null)(
  `OpenSMTPD${opensmtpd.missing ? ` (${opensmtpd.missing})` : ""}`,
  () => {
    const cleanup = new Cleanup();
    let front: EdgeFront;
    let bridge: Bridge;
    let server: MailServer;

    beforeAll(async () => {
      front = await startEdgeFront(cleanup);
      bridge = await startBridge(front, cleanup);
      server = await opensmtpd.start(opensmtpd.ways[0] as Way, listenersOf(bridge, front), ["example.com"]);
      cleanup.add(() => server.stop());
    });
    afterAll(() => cleanup.run());

    const open = (): Promise<SmtpSession> =>
      SmtpSession.open({ port: server.port, from: STRANGER, sender: "someone@elsewhere.example" });
    /** @returns code and milliseconds of a recipient in a session of its own, from the connection on */
    async function rcpt(path: string): Promise<{ code: number; ms: number }> {
      const start = performance.now();
      const session = await open();
      const { code } = await session.rcpt(path);
      const ms = performance.now() - start;
      await session.quit();
      return { code, ms };
    }

    it("accepts who exists, and refuses who does not", async () => {
      expect(opensmtpd.version()).toMatch(/^OpenSMTPD 7\.\d/);
      expect((await rcpt("<known@example.com>")).code).toBe(250);
      expect((await rcpt("<nobody@example.com>")).code).toBe(550);
      expect((await rcpt("<known@foreign.example>")).code).toBe(550);
      // One process for the one table, and one connection: a bridge counts it.
      expect(tablesAsking(bridge.socketmap)).toHaveLength(1);
    });

    it("survives signals to its table process", async () => {
      for (const pid of tablesAsking(bridge.socketmap)) process.kill(pid, "SIGTERM");
      expect((await rcpt("<known.signal@example.com>")).code).toBe(250);
      expect(tablesAsking(bridge.socketmap)).toHaveLength(1);
    });

    it("notices nothing of a bridge that is killed and started again", async () => {
      await bridge.stop("SIGKILL");
      const { code } = await inTime(2_000, () => rcpt("<known.killed@example.com>"));
      expect(code).toBe(451);
      await bridge.start();
      expect((await rcpt("<known.restarted@example.com>")).code).toBe(250);
      expect((await rcpt("<nobody.restarted@example.com>")).code).toBe(550);
      expect(server.isRunning()).toBe(true);
    });

    it("keeps many sessions apart", async () => {
      const sessions = await Promise.all(Array.from({ length: 10 }, open));
      await Promise.all(
        sessions.map(async (session, i) => {
          for (let n = 0; n < 10; n++) {
            expect((await session.rcpt(`<known.${i}.${n}@example.com>`)).code).toBe(250);
            expect((await session.rcpt(`<nobody.${i}.${n}@example.com>`)).code).toBe(550);
          }
        }),
      );
      for (const session of sessions) await session.quit();
    });

    it("keeps all its sessions from waiting for a frozen bridge, and is right as soon as it continues", async () => {
      await rcpt("<known.before@example.com>");
      bridge.signal("SIGSTOP");
      await inTime(5_000, async () => {
        const replies = await Promise.all([1, 2, 3].map((i) => rcpt(`<known.frozen${i}@example.com>`)));
        for (const { code } of replies) expect(code).toBe(451);
        return { ms: Math.max(...replies.map(({ ms }) => ms)) };
      });
      bridge.signal("SIGCONT");
      expect((await rcpt("<known.continued@example.com>")).code).toBe(250);
      expect((await rcpt("<nobody.continued@example.com>")).code).toBe(550);
      expect(server.isRunning()).toBe(true);
      expect(server.logs()).not.toMatch(/exiting|fatal/);
    });
  },
);

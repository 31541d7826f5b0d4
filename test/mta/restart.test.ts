import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { freePort } from "../../testing/ports.ts";
import { Client, netstring } from "../bridge/support/sockets.ts";
import { startEdgeFront } from "../conformance/faults/edge-front.ts";
import { Cleanup } from "./support/cleanup.ts";
import { Command } from "./support/command.ts";
import { page } from "./support/pages.ts";
import { startPostfix, WITHOUT_POSTFIX } from "./support/postfix.ts";
import { SmtpSession } from "./support/smtp-client.ts";
import { pause, until } from "./support/waiting.ts";

/*
 * A bridge that is replaced 20 times while 50 connections ask: no lookup fails, and no connection of a client that never
 * connects again is closed.
 */

const REPLACEMENTS = 20;
/** SMTP sessions with a real Postfix, and connections of a raw client; half of those to a unix socket. */
const SESSIONS = 10;
const RAW = 40;
/** Pause between two lookups of one connection, ms: 50 of them make some hundred lookups a second. */
const PAUSE_MS = 80;
/** Postfix takes a thousand recipients in one message. */
const RECIPIENTS = 200;

interface Tally {
  lookups: number;
  readonly failures: string[];
  /** Who was answered. */
  readonly answered: Set<string>;
}

/** Asks in turn about a recipient that exists and one that does not, on one connection, until it is told to stop. */
async function askRaw(client: Client, id: string, tally: Tally, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const isKnown = i % 2 === 0;
    client.text = "";
    client.send(netstring(`recipients ${isKnown ? "known" : "nobody"}.${id}.${i}@example.com`));
    const reply = await client.told(/,$/);
    tally.lookups++;
    tally.answered.add(id);
    if (reply !== (isKnown ? "14:OK deliverable," : "9:NOTFOUND ,")) {
      tally.failures.push(`${id}: ${JSON.stringify(reply)}${client.isClosed ? ", closed" : ""}`);
    }
    if (client.isClosed) return;
    await pause(PAUSE_MS);
  }
  client.leave();
}

async function askPostfix(port: number, id: string, tally: Tally, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const session = await SmtpSession.open({ port, sender: "someone@elsewhere.example" });
    for (let i = 0; i < RECIPIENTS && !isOver(); i++) {
      const isKnown = i % 2 === 0;
      const reply = await session.rcpt(`<${isKnown ? "known" : "nobody"}.${id}.${i}@example.com>`);
      tally.lookups++;
      tally.answered.add(id);
      if (reply.code !== (isKnown ? 250 : 550)) tally.failures.push(`${id}: ${reply.code} ${reply.text}`);
      await pause(PAUSE_MS);
    }
    await session.quit();
  }
}

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `Postfix beside a bridge that is replaced${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    it(`loses no lookup of 50 connections in ${REPLACEMENTS} replacements`, async () => {
      const cleanup = new Cleanup();
      try {
        const front = await startEdgeFront(cleanup);
        const folder = mkdtempSync(join(tmpdir(), "rollcall-restart-"));
        cleanup.add(() => rmSync(folder, { recursive: true }));
        const file = join(folder, "socketmap");
        const port = await freePort();
        const bridge = new Command(
          ["bridge", "--socketmap", `127.0.0.1:${port}`, "--socketmap", `unix:${file}`],
          folder,
          { ROLLCALL_URL: front.url, ROLLCALL_TOKEN: front.checkToken },
        );
        let pid = bridge.child.pid as number;
        // The last of the processes is not our child, but has its output.
        cleanup.add(async () => {
          process.kill(pid, "SIGTERM");
          await bridge.ended;
        });
        await bridge.saying(/\bready\b/);
        const main = page("relay-recipient-maps", { socketmap: port, policy: 9, backend: 9 });
        const postfix = await startPostfix({ name: "restart.example.org", main }, cleanup);

        const raw: Tally = { lookups: 0, failures: [], answered: new Set() };
        const smtp: Tally = { lookups: 0, failures: [], answered: new Set() };
        let over = false;
        const isOver = (): boolean => over;
        const addresses: ListenAddress[] = [
          { kind: "tcp", host: "127.0.0.1", port },
          { kind: "unix", path: file },
        ];
        const asking = Array.from({ length: RAW }, async (_, i) =>
          askRaw(await Client.connect(addresses[i % 2] as ListenAddress), `raw${i}`, raw, isOver),
        );
        for (let i = 0; i < SESSIONS; i++) asking.push(askPostfix(postfix.port, `smtp${i}`, smtp, isOver));

        // Only a connection that the bridge has accepted can be handed over.
        await until(
          "each connection was answered",
          () => raw.answered.size + smtp.answered.size === RAW + SESSIONS,
        );
        const replacements: number[] = [];
        const handedOver: number[] = [];
        for (let i = 0; i < REPLACEMENTS; i++) {
          const before = [raw.lookups, smtp.lookups] as const;
          const from = bridge.stderr.length;
          process.kill(pid, "SIGUSR2");
          const replaced = (): RegExpExecArray | null =>
            /"event":"replaced","pid":(\d+),"connections":(\d+)/.exec(bridge.stderr.slice(from));
          await until("the bridge is replaced", () => replaced() !== null);
          pid = Number(replaced()?.[1]);
          handedOver.push(Number(replaced()?.[2]));
          replacements.push(pid);
          // Each process answers both kinds of clients before the next one takes over.
          await until(
            "both were asked",
            () => raw.lookups > before[0] + RAW && smtp.lookups > before[1] + SESSIONS,
          );
        }
        over = true;
        await Promise.all(asking);
        console.info(
          `${REPLACEMENTS} replacements: ${raw.lookups} raw lookups and ${smtp.lookups} RCPT, ` +
            `${raw.failures.length + smtp.failures.length} failed; ${Math.min(...handedOver)} to ${Math.max(...handedOver)} connections handed over`,
        );
        expect(raw.failures).toEqual([]);
        expect(smtp.failures).toEqual([]);
        expect(new Set(replacements).size).toBe(REPLACEMENTS);
        // The raw client's connections are those that it opened at the start.
        expect(Math.min(...handedOver)).toBeGreaterThanOrEqual(RAW);
        expect(postfix.log()).not.toMatch(/warning: .*(?:socketmap|lookup)/);
        expect(existsSync(file)).toBe(true);
      } finally {
        await cleanup.run();
      }
    });
  },
);

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRIES } from "../../integrations/rigs.ts";
import { Cleanup } from "../mta/support/cleanup.ts";
import { type Bridge, type Edge, folder, rollcall } from "../mta/support/command.ts";
import { CORPUS } from "./corpus.ts";
import { listenersOf } from "./listeners.ts";
import { startServers } from "./servers.ts";
import { publishWorld, RELAYED } from "./world.ts";

/*
 * The rows of the corpus through front ends that are not asked over SMTP: MTA Hooks as Stalwart's source sends them (no
 * Stalwart is run), and an Email Worker in wrangler's local email test.
 */

const cleanup = new Cleanup();
let edge: Edge;
let bridge: Bridge;

beforeAll(async () => {
  ({ edge, bridge } = await startServers(cleanup));
}, 90_000);
afterAll(() => cleanup.run());

/** `550 5.1.1` of a reply; `5xx` of one whose codes are the platform's. */
const codesOf = (reply: string): string => /^(\d{3} \d\.\d+\.\d+|[45]xx)/.exec(reply)?.[0] ?? reply;

describe.each([...ENTRIES])("$title", (entry) => {
  it.skipIf(entry.missing !== null)(
    "a client sees the true codes of every row",
    async () => {
      const running = await entry.start(listenersOf(bridge, edge), RELAYED);
      cleanup.add(() => running.stop());
      const { administrator } = running;
      if (administrator !== undefined) {
        const home = folder(cleanup);
        await publishWorld(home, (args) => rollcall(args, home, administrator));
      }
      const seen: Record<string, string> = {};
      for (const { name, rcpt } of CORPUS) seen[name] = codesOf(await running.rcpt(rcpt));
      const expected = CORPUS.map(({ name, rcpt, verdict, codes }) => {
        const action = ({ "2": "accept", "4": "defer", "5": "reject" } as const)[codes[0] as "2" | "4" | "5"];
        const difference = entry.differences.find(({ rows }) => rows.includes(name));
        return [
          name,
          difference?.codes ?? entry.codes({ verdict, action, reply: `${codes} <${rcpt}>: a text` }),
        ];
      });
      expect(seen).toEqual(Object.fromEntries(expected));
    },
    90_000,
  );
});

/**
 * What mail servers get while the edge is away, with a reboot inside the outage: a bridge with a replica, asked at a
 * steady rate about mailboxes and unknown names. It runs in real time and draws docs/performance/outage.svg.
 *
 *   npm run bench:outage -- [--away MINUTES] [--write]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { pause, until } from "../test/mta/support/waiting.ts";
import { ANSWER_KINDS, type AnswerKind, type Mark, type Second, timeline } from "./report/timeline.ts";
import { countingProxy } from "./rig/counting-proxy.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "./rig/lists.ts";
import { root, temporaryFolder } from "./rig/processes.ts";
import { type ServedBridge, serveBridge } from "./rig/socketmap.ts";
import { SocketmapConnection } from "./rig/socketmap-client.ts";
import { World } from "./rig/world.ts";

const PICTURE = "docs/performance/outage.svg";
const MAILBOXES = 10_000;
/** Lookups a second: half are of mailboxes, half of unknown names, and none is asked twice. */
const RATE = 20;
/** Seconds before the outage and after it. */
const AROUND = 60;

const { values } = parseArgs({
  options: { away: { type: "string", default: "10" }, write: { type: "boolean", default: false } },
});
const away = 60 * Number(values.away);
if (!(away >= 60 && away <= 86_400)) throw new RangeError("--away takes minutes, from 1 to 1440");

await using world = await World.make();
await using edge = await world.serve();
await world.publish(edge, world.list(MAILBOXES));
await using proxy = await countingProxy(edge.origin);
using folder = temporaryFolder();
const role = ["--role", "replica", "--domain", DOMAIN];
const token = (await world.rollcall(edge, "token", "create", ...role)).output.trim();
const start = (): Promise<ServedBridge> =>
  serveBridge({ origin: proxy.origin, token }, { replica: join(folder.path, "replica") });

let bridge: ServedBridge | null = await start();
await until(
  "the replica holds the list",
  async () => (await bridge?.metrics())?.includes("rollcall_bridge_replica_age_seconds{") ?? false,
  60_000,
);
let connection: SocketmapConnection | null = await SocketmapConnection.open(bridge.address);

const begun = performance.now();
const now = (): number => (performance.now() - begun) / 1000;
const marks: Mark[] = [];
const note = (what: string): void => {
  marks.push({ at: now(), what });
  console.error(`${now().toFixed(1)} s: ${what}`);
};

/** What happens, in this order, at these seconds. */
const events: { readonly at: number; run(): Promise<void> }[] = [
  {
    at: AROUND,
    async run() {
      proxy.refuse(true);
      note("the edge is away");
    },
  },
  {
    at: AROUND + away / 2,
    async run() {
      connection = null;
      await bridge?.[Symbol.asyncDispose]();
      bridge = null;
      note("the mail host goes down");
    },
  },
  {
    at: AROUND + away / 2 + 5,
    async run() {
      bridge = await start();
      connection = await SocketmapConnection.open(bridge.address);
      note("the mail host is up again");
    },
  },
  {
    at: AROUND + away,
    async run() {
      proxy.refuse(false);
      note("the edge is back");
    },
  },
];

const seconds: Second[] = [];
const ask = async (number: number): Promise<AnswerKind> => {
  const isKnown = number % 2 === 0;
  const name = isKnown ? `${KNOWN}${(number / 2) % MAILBOXES}+${number}` : `${UNKNOWN}${number}`;
  const open = connection;
  if (open === null) return "no bridge";
  const reply = await open.ask("recipients", `${name}@${DOMAIN}`).catch(() => null);
  if (reply === null) return "no bridge";
  if (reply === "TEMP") return isKnown ? "mailbox deferred" : "unknown name deferred";
  if ((reply === "OK") !== isKnown) throw new Error(`the bridge answered ${reply} about ${name}`);
  return isKnown ? "mailbox accepted" : "unknown name refused";
};
let number = 0;
let working: Promise<void> = Promise.resolve();
for (let second = 0; second < 2 * AROUND + away; second++) {
  const counts = Object.fromEntries(ANSWER_KINDS.map((kind) => [kind, 0])) as Record<AnswerKind, number>;
  if (events[0] !== undefined && second >= events[0].at) {
    const event = events.shift();
    working = working.then(() => event?.run());
  }
  const asked = Array.from({ length: RATE }, () => ask(number++));
  for (const kind of await Promise.all(asked)) counts[kind]++;
  seconds.push(counts);
  await pause(Math.max(0, 1000 * (second + 1 - now())));
}
await working;
await (bridge as ServedBridge | null)?.[Symbol.asyncDispose]();

const total = (kind: AnswerKind): number => seconds.reduce((sum, each) => sum + each[kind], 0);
for (const kind of ANSWER_KINDS) console.log(`${kind}: ${total(kind)}`);
const back = marks.at(-1)?.at ?? Number.NaN;
const refused = seconds.findIndex((each, i) => i >= back && each["unknown name refused"] > 0);
console.log(`refusals again ${(refused - back).toFixed(0)} s after the edge is back`);
if (values.write) {
  const file = join(root, PICTURE);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, timeline(seconds, marks));
}

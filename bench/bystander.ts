/**
 * How long one client's unknown names wait while another client's token sends large plans without a pause, and then while it
 * commits large lists. In workerd, where the edge and the Registry share a thread. Run with:
 *
 *   node bench/bystander.ts [names of the other list [names of a list that is committed, or none ...]]
 */

import {
  DEFAULT_POLICY,
  deriveDomainKey,
  encodeShard,
  readMasterKey,
  toHex,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import { commitOf, tableFrom } from "../src/publish/index.ts";
import { startSending } from "./rig/plan-senders.ts";
import { cpuOf, memoryOf } from "./rig/processes.ts";
import { clientOf } from "./rig/publisher.ts";
import { World } from "./rig/world.ts";

const PLANS = 6;
const SECONDS = 20;
const BYSTANDER = "bystander.example";
const HEAVY = "heavy.example";

const COMMITS = 6;
const BIG = "big.example";

const names = Number(process.argv[2] ?? 20_000);
const committed = (process.argv[3] === undefined ? ["200000", "1000000"] : process.argv.slice(3))
  .filter((count) => count !== "none")
  .map(Number);
await using world = await World.make({ ROLLCALL_KV_WRITES: "1000000000" });
await using edge = await world.serve();
await world.publish(edge, world.list(1_000, BYSTANDER), BYSTANDER);
await world.publish(edge, world.list(names, HEAVY), HEAVY);

const admin = clientOf(world, edge);
const tokens: string[] = [];
for (let i = 0; i < PLANS; i++)
  tokens.push((await admin.createToken({ role: "publish", domains: [HEAVY], note: null })).token);
const { token: check } = await admin.createToken({ role: "check", domains: [BYSTANDER], note: null });
const head = await admin.domain(HEAVY);

/** So many ascending tails of 6 bytes, the lower half of them with `step`. */
function tails(count: number): string {
  const bytes = Buffer.alloc(6 * count);
  const step = Math.floor(2 ** 48 / count);
  for (let i = 0; i < count; i++) bytes.writeUIntBE(i * step, 6 * i, 6);
  return bytes.toString("base64url");
}
const body = JSON.stringify({
  domains: [
    {
      domain: HEAVY,
      expect: head?.generation,
      key_id: head?.key_id,
      canonicaliser: 1,
      policy: {},
      accepted: 2_000_000,
      names: { accepted: tails(2_000_000) },
    },
  ],
});

const waits: number[] = [];
/** The same in milliseconds of CPU of workerd, which other processes of the machine do not prolong. */
const cpu: number[] = [];
const verdicts: Record<string, number> = {};
async function ask(): Promise<void> {
  const [from, fromCpu] = [performance.now(), cpuOf(edge.pid)];
  const recipient = `n${Math.random()}@${BYSTANDER}`;
  const headers = { Authorization: `Bearer ${check}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ recipient });
  const response = await fetch(`${edge.origin}/v1/rcpt`, { method: "POST", headers, body });
  const { verdict } = (await response.json()) as { verdict: string };
  verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  waits.push(performance.now() - from);
  cpu.push(cpuOf(edge.pid) - fromCpu);
}

function watch(what: string, seconds: number): Promise<void> {
  const end = performance.now() + 1_000 * seconds;
  return watchUntil(what, () => performance.now() >= end);
}

async function watchUntil(what: string, isOver: () => boolean): Promise<void> {
  [waits.length, cpu.length] = [0, 0];
  const asked: Promise<void>[] = [];
  while (!isOver()) {
    asked.push(ask());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(asked);
  console.log(`${what}: ${waits.length} questions; ${spread(waits)}; CPU ${spread(cpu)}`, verdicts);
}

function spread(values: number[]): string {
  values.sort((a, b) => a - b);
  const at = (share: number): string => (values[Math.floor(share * (values.length - 1))] ?? 0).toFixed(0);
  return `median ${at(0.5)} ms, 99 % ${at(0.99)} ms, worst ${at(1)} ms`;
}

await watch("alone", 5);
for (const [whose, senders] of [
  ["one token", tokens.map(() => tokens[0] as string)],
  [`${PLANS} tokens`, tokens],
] as const) {
  const end = startSending({ url: `${edge.origin}/v1/plans`, tokens: senders, body });
  await watch(`beside ${PLANS} plans of ${(body.length / 1e6).toFixed(0)} MB, of ${whose}`, SECONDS);
  console.log(
    "plans",
    await end(),
    `${((memoryOf(edge.pid, "VmHWM") ?? 0) / 1e6).toFixed(0)} MB at the most`,
  );
}
await watch("alone again", 5);

const masterKey = readMasterKey(world.masterKey);
/** Uploads a list of made-up fingerprints: so many, each `step`-th one of another list. @returns its table */
async function upload(domain: string, count: number, list: number, step: number) {
  const bits = Math.round(Math.log2(count / 8_192));
  const shards = 2 ** bits;
  const ids: string[] = [];
  for (let index = 0; index < shards; index++) {
    const tails = Float64Array.from({ length: Math.floor(count / shards) }, (_, i) => {
      const seed = i % step === 0 ? list : 0;
      return (((i * 0x9e3779b1 + index * 0x85ebca6b + seed * 0xc2b2ae35) >>> 0) * 2 ** 16 + seed) % 2 ** 48;
    }).sort();
    const bytes = encodeShard({ tails, states: new Uint8Array(tails.length) }, bits, index);
    ids.push(toHex(stablelibHashing.sha256(bytes)));
    await admin.putShard(domain, ids[index] as string, bytes);
  }
  return tableFrom({ bits, ids });
}

for (const count of committed) {
  for (const [what, step] of [
    ["all names are other ones", 1],
    ["1 % of the names are other ones", 100],
  ] as const) {
    const domain = `${step === 1 ? "all" : "few"}-${count}.${BIG}`;
    const key = deriveDomainKey(stablelibHashing, masterKey, domain, 1);
    const tables = [await upload(domain, count, 1, step), await upload(domain, count, 2, step)] as const;
    let generation: number | null = null;
    const took: number[] = [];
    const commit = async (i: number): Promise<void> => {
      const packed = { table: tables[i % 2 === 0 ? 0 : 1], patterns: null };
      const list = commitOf({ key, expect: generation, policy: {}, resultingPolicy: DEFAULT_POLICY, packed });
      const from = performance.now();
      const { generations } = await admin.commit({ domains: [list], force: true });
      generation = generations[domain] as number;
      if (i > 0) took.push(performance.now() - from);
    };
    await commit(0);
    await world.untilCopied(edge);
    let isDone = false;
    const commits = (async () => {
      for (let i = 1; i <= COMMITS; i++) await commit(i);
      isDone = true;
    })();
    await watchUntil(`beside ${COMMITS} commits of ${count} names, of which ${what}`, () => isDone);
    await commits;
    console.log(`these commits: ${spread(took)}`);
    await world.untilCopied(edge);
  }
}

/** Publishing with the command. */
import {
  atLeast,
  atMost,
  type Extent,
  type Measurement,
  type Suite,
  type Tell,
} from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { MILLION } from "../rig/lists.ts";
import type { Run } from "../rig/processes.ts";
import { packingCosts } from "../rig/publisher.ts";
import { median, spreadOf } from "../rig/rounds.ts";
import { publishedWorld, World } from "../rig/world.ts";
import { bulkPut } from "../rig/wrangler.ts";
import { oneChange } from "./one-change.ts";

/** Keys that `wrangler kv bulk put` puts in one round: each takes milliseconds. */
const PEER_KEYS = 1_000;
const QUICK_PEER_KEYS = 200;
const QUICK_MAILBOXES = 100_000;

export const publish: Suite = {
  name: "publish",
  async run(extent, tell) {
    const { writes } = await publishedWorld(MILLION, tell);
    return [
      {
        id: "publish.kv-writes.1m",
        what: "KV writes of 1,000,000 mailboxes, published for the first time",
        value: total(writes),
        unit: "count",
        bar: atMost(130),
        detail: figures("writes", writes),
      },
      ...(await besideBulkPut(extent, tell)),
      ...(extent.isQuick ? [] : [await peakMemory(tell)]),
      await packing(extent, tell),
      ...(await oneChange(extent, tell)),
    ];
  },
};

type Cost = Omit<Run, "output">;

/**
 * A mailbox's share of publishing, beside its share of `wrangler kv bulk put --local`. Both start with nothing. The
 * peer's start is left out of its time, since it would weigh on the few keys that it is given.
 */
async function besideBulkPut({ isQuick, rounds }: Extent, tell: Tell): Promise<Measurement[]> {
  const mailboxes = isQuick ? QUICK_MAILBOXES : MILLION;
  const keys = isQuick ? QUICK_PEER_KEYS : PEER_KEYS;
  const [ours, theirs]: [Cost[], Cost[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    tell(`round ${round + 1}: ${keys} keys by wrangler, ${mailboxes} mailboxes by rollcall`);
    theirs.push(await bulkPut(keys));
    await using world = await World.make();
    await using edge = await world.serve();
    ours.push(await world.publish(edge, world.list(mailboxes)));
  }
  const peak = (runs: readonly Cost[]): number => Math.max(...runs.map(({ peakBytes }) => peakBytes));
  const seconds = spreadOf(ours.map((run) => run.seconds));
  const perKey = theirs.map((run) => run.seconds / keys);
  return [
    {
      id: "publish.against-bulk-put",
      what: "publishing, time a mailbox, against wrangler kv bulk put",
      ...spreadOf(ours.map((run, i) => (perKey[i] as number) / (run.seconds / mailboxes))),
      unit: "x",
      bar: atLeast(10),
      detail: {
        "microseconds a mailbox": (seconds.value / mailboxes) * 1e6,
        mailboxes,
        "wrangler's microseconds a key": median(perKey) * 1e6,
        "wrangler's keys": keys,
        "peak bytes": peak(ours),
        "wrangler's peak bytes": peak(theirs),
      },
    },
    {
      id: "publish.seconds",
      what: `rollcall publish of ${mailboxes.toLocaleString("en")} mailboxes`,
      ...seconds,
      unit: "s",
      detail: { mailboxes, "peak bytes": peak(ours) },
    },
  ];
}

async function peakMemory(tell: Tell): Promise<Measurement> {
  const { publishing, mailboxes, writes } = await publishedWorld(10 * MILLION, tell);
  return {
    id: "publish.peak-memory.10m",
    what: "rollcall publish of 10,000,000 mailboxes: peak memory",
    value: publishing.peakBytes,
    unit: "bytes",
    bar: atMost(1e9),
    detail: { seconds: publishing.seconds, ...figures("KV writes", writes), mailboxes },
  };
}

async function packing({ isQuick, rounds }: Extent, tell: Tell): Promise<Measurement> {
  const names = isQuick ? QUICK_MAILBOXES : MILLION;
  tell(`fingerprints and packing of ${names} names`);
  await using world = await World.make();
  const list = world.list(names);
  // In the first round V8 compiles.
  await packingCosts(list, names);
  const [rates, whole]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const costs = await packingCosts(list, names);
    rates.push(names / costs.packing);
    whole.push(names / costs.whole);
  }
  return {
    id: "publish.packing-rate",
    what: "fingerprints and packing, mailboxes a second of one core's CPU",
    ...spreadOf(rates),
    unit: "/s",
    bar: atLeast(1e6),
    detail: { "with reading the file": median(whole), names },
  };
}

import type { Measurement, Suite } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { packingCosts } from "../rig/publisher.ts";
import { spreadOf } from "../rig/rounds.ts";
import { publishedWorld, World } from "../rig/world.ts";
import { bulkPut } from "../rig/wrangler.ts";
import { MILLION } from "./checks.ts";
import { oneChange } from "./one-change.ts";

/** Keys that `wrangler kv bulk put` puts in one round: it takes milliseconds for each. */
const PEER_KEYS = 1_000;
const QUICK_PEER_KEYS = 200;
const QUICK_MAILBOXES = 100_000;

/** Publishing with the command, as anybody would. */
export const publish: Suite = {
  name: "publish",
  lacks: () => [],
  async run(extent, tell) {
    const measured = [await writesOf(tell)];
    measured.push(...(await besideBulkPut(extent.isQuick, extent.rounds, tell)));
    if (!extent.isQuick) measured.push(await tenMillions(tell));
    measured.push(await packing(extent.rounds, extent.isQuick ? QUICK_MAILBOXES : MILLION, tell));
    measured.push(...(await oneChange(extent, tell)));
    return measured;
  },
};

async function writesOf(tell: (line: string) => void): Promise<Measurement> {
  const { writes } = await publishedWorld(MILLION, tell);
  return {
    id: "publish.kv-writes.1m",
    what: "KV writes of 1,000,000 mailboxes, published for the first time",
    value: total(writes),
    unit: "count",
    bar: { kind: "at most", value: 130 },
    detail: figures("writes", writes),
  };
}

/**
 * A mailbox's share of publishing, beside its share of `wrangler kv bulk put --local`. Both begin with nothing. The
 * peer's start is left out of its time, since it would weigh on the few keys that it is given.
 */
async function besideBulkPut(
  isQuick: boolean,
  rounds: number,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const mailboxes = isQuick ? QUICK_MAILBOXES : MILLION;
  const keys = isQuick ? QUICK_PEER_KEYS : PEER_KEYS;
  const ratios: number[] = [];
  const ours: number[] = [];
  const theirs: number[] = [];
  let ourPeak = 0;
  let theirPeak = 0;
  for (let round = 0; round < rounds; round++) {
    tell(`round ${round + 1}: ${keys} keys by wrangler, ${mailboxes} mailboxes by rollcall`);
    const peer = await bulkPut(keys);
    const own = await publishOnce(mailboxes);
    ours.push(own.seconds);
    theirs.push(peer.seconds);
    ratios.push(peer.seconds / keys / (own.seconds / mailboxes));
    ourPeak = Math.max(ourPeak, own.peakBytes);
    theirPeak = Math.max(theirPeak, peer.peakBytes);
  }
  const ratio = spreadOf(ratios);
  const seconds = spreadOf(ours);
  return [
    {
      id: "publish.against-bulk-put",
      what: "publishing, time a mailbox, against wrangler kv bulk put",
      value: ratio.median,
      unit: "x",
      lowest: ratio.lowest,
      highest: ratio.highest,
      bar: { kind: "at least", value: 10 },
      detail: {
        "microseconds a mailbox": (seconds.median / mailboxes) * 1e6,
        mailboxes,
        "wrangler's microseconds a key": (spreadOf(theirs).median / keys) * 1e6,
        "wrangler's keys": keys,
        "peak bytes": ourPeak,
        "wrangler's peak bytes": theirPeak,
      },
    },
    {
      id: "publish.seconds",
      what: `rollcall publish of ${mailboxes.toLocaleString("en")} mailboxes`,
      value: seconds.median,
      unit: "s",
      lowest: seconds.lowest,
      highest: seconds.highest,
      detail: { mailboxes, "peak bytes": ourPeak },
    },
  ];
}

async function publishOnce(mailboxes: number) {
  const world = await World.make();
  try {
    const edge = await world.serve();
    try {
      return await world.publish(edge, world.list(mailboxes));
    } finally {
      await edge.stop();
    }
  } finally {
    await world.end();
  }
}

async function tenMillions(tell: (line: string) => void): Promise<Measurement> {
  const { publishing, mailboxes, writes } = await publishedWorld(10 * MILLION, tell);
  return {
    id: "publish.peak-memory.10m",
    what: "rollcall publish of 10,000,000 mailboxes: peak memory",
    value: publishing.peakBytes,
    unit: "bytes",
    bar: { kind: "at most", value: 1e9 },
    detail: { seconds: publishing.seconds, ...figures("KV writes", writes), mailboxes },
  };
}

async function packing(rounds: number, names: number, tell: (line: string) => void): Promise<Measurement> {
  tell(`fingerprints and packing of ${names} names`);
  const world = await World.make();
  try {
    const list = world.list(names);
    const rates: number[] = [];
    const whole: number[] = [];
    // The first round is V8's, which compiles.
    for (let round = 0; round <= rounds; round++) {
      const costs = await packingCosts(list, names);
      if (round === 0) continue;
      rates.push(names / costs.packing);
      whole.push(names / costs.whole);
    }
    const { median, lowest, highest } = spreadOf(rates);
    return {
      id: "publish.packing-rate",
      what: "fingerprints and packing, mailboxes a second of one core's CPU",
      value: median,
      unit: "/s",
      lowest,
      highest,
      bar: { kind: "at least", value: 1e6 },
      detail: { "with reading the file": spreadOf(whole).median, names },
    };
  } finally {
    await world.end();
  }
}

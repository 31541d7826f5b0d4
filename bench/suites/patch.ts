/**
 * Single changes of a long list, beside a publish of the same list with one change: when they are acknowledged, and what they
 * write to KV. And for how long the Registry answers no question while it rebuilds the shards of a thousand changes.
 */
import { appendFileSync } from "node:fs";
import { atMost, type Extent, type Measurement, type Suite, type Tell } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { DOMAIN, MILLION } from "../rig/lists.ts";
import { clientOf } from "../rig/publisher.ts";
import { type Gaps, QuestionGaps } from "../rig/question-gaps.ts";
import { replicaToken } from "../rig/replica.ts";
import { spreadOf } from "../rig/rounds.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

const QUICK_MAILBOXES = 100_000;
/** Single changes, one after the other. */
const CHANGES = 20;
/** What one request may change, and requests of one change each. */
const BATCH = 1_000;
/** Of those, as many wait for their answers at the same time. The edge handles them in the same thread as the Registry here. */
const AT_ONCE = 50;
/** Milliseconds for which a rebuild may keep questions waiting. */
const MOST_WAITING = 200;

export const patch: Suite = {
  name: "patch",
  async run(extent, tell) {
    const mailboxes = extent.isQuick ? QUICK_MAILBOXES : 10 * MILLION;
    // Copies are paced for the free plan otherwise.
    await using world = await World.make({ ROLLCALL_KV_WRITES: "1000000000" });
    await using edge = await world.serve();
    tell(`publishing ${mailboxes.toLocaleString("en")} mailboxes`);
    const list = world.list(mailboxes);
    await world.publish(edge, list);
    tell("the same list with one more, published");
    appendFileSync(list, `one-more@${DOMAIN}\n`);
    const { seconds } = await world.publish(edge, list);
    return [
      ...(await oneByOne(world, edge, mailboxes, seconds, tell)),
      ...(await gaps(world, edge, mailboxes, extent, tell)),
    ];
  },
};

let count = 0;
const change = (name: string, state = "active") => ({
  set: [{ recipient: `${name}@${DOMAIN}`, state: state as "active" }],
});
const key = (): string => `bench-${count++}`;

async function oneByOne(
  world: World,
  edge: ServedEdge,
  mailboxes: number,
  publishSeconds: number,
  tell: Tell,
): Promise<Measurement[]> {
  tell("single changes");
  const client = clientOf(world, edge);
  const acknowledged: number[] = [];
  await world.kv.reset();
  for (let i = 0; i < CHANGES; i++) {
    const since = performance.now();
    await client.patchMailboxes(DOMAIN, change(`single${i}`), key());
    acknowledged.push(performance.now() - since);
    // Each is copied by itself: KV takes one write a second and key.
    await world.untilCopied(edge);
  }
  const { writes } = await world.kv.counts();
  const spread = spreadOf(acknowledged);
  const all = mailboxes.toLocaleString("en");
  return [
    {
      id: "patch.acknowledged",
      what: `a single change in ${all}: until its acknowledgement`,
      ...spread,
      unit: "ms",
      bar: atMost(1_000),
      detail: { changes: CHANGES },
    },
    {
      id: "patch.against-publish",
      what: `a publish of ${all} with one change, against a single change`,
      value: (1_000 * publishSeconds) / spread.value,
      unit: "x",
      detail: { "seconds of the publish": publishSeconds },
    },
    {
      id: "patch.kv-writes",
      what: `KV writes of a single change in ${all}`,
      value: total(writes) / CHANGES,
      unit: "count",
      bar: atMost(2),
      detail: figures("writes", writes),
    },
  ];
}

async function gaps(
  world: World,
  edge: ServedEdge,
  mailboxes: number,
  { rounds }: Extent,
  tell: Tell,
): Promise<Measurement[]> {
  const client = clientOf(world, edge);
  const asker = clientOf(world, edge, await replicaToken(world, edge.origin));
  await using questions = new QuestionGaps(asker, edge.pid);
  const idle: Gaps[] = [];
  const measure = async (what: string, work: (round: number) => Promise<unknown>): Promise<Round[]> => {
    const all: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      tell(`${what}, round ${round + 1}`);
      await world.untilCopied(edge);
      const since = performance.now();
      const during = await questions.during(() => work(round));
      const took = performance.now() - since;
      all.push({ ...during, took });
      // The same time without a change.
      idle.push(await questions.during(() => new Promise((resolve) => setTimeout(resolve, took))));
    }
    return all;
  };
  const together = await measure(`${BATCH} changes in one request`, (round) => {
    const set = Array.from({ length: BATCH }, (_, i) => change(`batch${round}-${i}`).set).flat();
    return client.patchMailboxes(DOMAIN, { set }, key());
  });
  const apart = await measure(`${BATCH} requests, ${AT_ONCE} at the same time`, async (round) => {
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < BATCH) await client.patchMailboxes(DOMAIN, change(`apart${round}-${next++}`), key());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
  });
  const all = mailboxes.toLocaleString("en");
  return [
    gap("patch.longest-gap.one-request", `${BATCH} changes in ${all} in one request`, together, idle),
    gap(
      "patch.longest-gap.requests",
      `${BATCH} changes in ${all}, a request each, ${AT_ONCE} at the same time`,
      apart,
      idle,
    ),
  ];
}

interface Round extends Gaps {
  readonly took: number;
}

function gap(id: string, what: string, rounds: readonly Round[], idle: readonly Gaps[]): Measurement {
  const longest = spreadOf(rounds.map(({ cpu }) => cpu));
  const took = spreadOf(rounds.map((round) => round.took));
  return {
    id,
    // In CPU, since the load generator and the copy to KV compete for time.
    what: `${what}: most CPU of the Registry's process between two of its answers`,
    ...longest,
    // The longest counts: the bar is a promise.
    value: longest.highest,
    unit: "ms",
    bar: atMost(MOST_WAITING),
    detail: {
      "ms until all were acknowledged": took.value,
      "answers meanwhile": Math.min(...rounds.map(({ answers }) => answers)),
      "ms of time between two answers, at most": Math.max(...rounds.map((round) => round.longest)),
      "the same without changes": Math.max(...idle.map((round) => round.longest)),
      "ms of CPU without changes": Math.max(...idle.map(({ cpu }) => cpu)),
    },
  };
}

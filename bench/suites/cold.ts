/** The first check of an isolate, with KV and the Registry far away: how long it takes, and what it waits for. */
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { registryCalls } from "../rig/inspector.ts";
import { type ByKind, figures, total } from "../rig/kv.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { spreadOf } from "../rig/rounds.ts";
import { World } from "../rig/world.ts";
import { verdictOf } from "./loads.ts";

/** Milliseconds of each KV read and each call of the Registry: nearby, and on another continent. */
const DELAYS = [30, 150];
/** Starts of workerd for each comparison, as a multiple of the rounds. */
const STARTS_A_ROUND = 3;

const SMALL = "small.example";
/** Its list is in its manifest. */
const SMALL_MAILBOXES = 10;
/** Of many shards; how many makes no difference to one check. */
const LARGE_MAILBOXES = 100_000;

/** Each with the KV reads and the Registry calls that it may wait for. */
const QUESTIONS = [
  { id: "known.small", name: `${KNOWN}1@${SMALL}`, verdict: "deliverable", reads: 1, calls: 0 },
  { id: "known.large", name: `${KNOWN}1@${DOMAIN}`, verdict: "deliverable", reads: 2, calls: 0 },
  { id: "unknown.small", name: `${UNKNOWN}1@${SMALL}`, verdict: "unknown", reads: 1, calls: 1 },
  { id: "unknown.large", name: `${UNKNOWN}1@${DOMAIN}`, verdict: "unknown", reads: 2, calls: 1 },
] as const;
type Question = (typeof QUESTIONS)[number];

export const cold: Suite = {
  name: "cold",
  async run(extent, tell) {
    await using world = await World.make();
    const token = await publishBoth(world);
    const measured: Measurement[] = [];
    const starts = extent.isQuick ? extent.rounds : STARTS_A_ROUND * extent.rounds;
    for (const question of QUESTIONS) {
      const checks: FirstCheck[] = [];
      for (const delay of DELAYS) {
        tell(`${starts} starts, ${question.id}, ${delay} ms`);
        for (let i = 0; i < starts; i++) checks.push(await firstCheck(world, token, question, delay));
      }
      measured.push(...report(question, checks));
    }
    return measured;
  },
};

/** @returns a token for checks */
async function publishBoth(world: World): Promise<string> {
  await using edge = await world.serve();
  await world.publish(edge, world.list(SMALL_MAILBOXES, SMALL), SMALL);
  await world.publish(edge, world.list(LARGE_MAILBOXES));
  return await world.checkToken(edge);
}

/** The first check of one isolate. */
interface FirstCheck {
  readonly delay: number;
  readonly ms: number;
  /** Reads that were over when the answer came; later ones are not counted. */
  readonly reads: ByKind;
  readonly calls: number;
}

async function firstCheck(
  world: World,
  token: string,
  question: Question,
  delay: number,
): Promise<FirstCheck> {
  const { kv } = world;
  await kv.delay(delay);
  await using edge = await world.serve({ registryDelay: delay });
  await kv.reset();
  const since = performance.now();
  const verdict = await verdictOf(edge.origin, token, question.name);
  const ms = performance.now() - since;
  const [{ answered }, calls] = await Promise.all([kv.counts(), registryCalls(edge.origin, "answered")]);
  if (verdict !== question.verdict) throw new Error(`${question.name} was answered ${verdict}`);
  return { delay, ms, reads: answered, calls };
}

/** The most that any start needed, and the time at each distance. */
function report({ id, reads, calls }: Question, checks: readonly FirstCheck[]): Measurement[] {
  const what = `cold check, ${id.replace(".", " name of a ")} domain`;
  const most = checks.reduce((a, b) => (total(b.reads) > total(a.reads) ? b : a));
  return [
    {
      id: `cold.${id}.reads`,
      what: `${what}: KV reads waited for`,
      value: total(most.reads),
      unit: "count",
      bar: atMost(reads),
      detail: figures("reads", most.reads),
    },
    {
      id: `cold.${id}.calls`,
      what: `${what}: Registry calls waited for`,
      value: Math.max(...checks.map((each) => each.calls)),
      unit: "count",
      bar: atMost(calls),
    },
    ...DELAYS.map((delay): Measurement => {
      const times = checks.filter((each) => each.delay === delay).map(({ ms }) => ms);
      return {
        id: `cold.${id}.p50.${delay}ms`,
        what: `${what}, ${delay} ms away: p50`,
        ...spreadOf(times),
        unit: "ms",
        detail: { starts: times.length },
      };
    }),
  ];
}

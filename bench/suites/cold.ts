import { join } from "node:path";
import type { Measurement, Suite } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { DOMAIN, KNOWN, UNKNOWN, writeList } from "../rig/lists.ts";
import { registryCalls } from "../rig/registry.ts";
import { spreadOf } from "../rig/rounds.ts";
import { World } from "../rig/world.ts";
import { verdictOf } from "./loads.ts";

/** Put into each KV read and each call of the Registry, milliseconds: near, and on another continent. */
const DELAYS = [30, 150];
/** Starts of workerd for each comparison, as a multiple of the rounds. */
const STARTS_A_ROUND = 3;

const SMALL = "small.example";
/** Its list stands in its manifest. */
const SMALL_MAILBOXES = 10;
/** Of many shards; how many makes no difference to one check. */
const LARGE_MAILBOXES = 100_000;

const QUESTIONS = [
  { id: "known.small", name: `${KNOWN}1@${SMALL}`, verdict: "deliverable", reads: 1 },
  { id: "known.large", name: `${KNOWN}1@${DOMAIN}`, verdict: "deliverable", reads: 2 },
  { id: "unknown.small", name: `${UNKNOWN}1@${SMALL}`, verdict: "unknown", reads: 1 },
  { id: "unknown.large", name: `${UNKNOWN}1@${DOMAIN}`, verdict: "unknown", reads: 2 },
] as const;

type Question = (typeof QUESTIONS)[number];

/** The first check of an isolate, with KV and the Registry far away: how long, and what it waited for. */
export const cold: Suite = {
  name: "cold",
  lacks: () => [],
  async run(extent, tell) {
    const world = await World.make();
    try {
      const token = await publishBoth(world);
      const measured: Measurement[] = [];
      const starts = extent.isQuick ? extent.rounds : STARTS_A_ROUND * extent.rounds;
      for (const question of QUESTIONS) {
        const first: First[] = [];
        for (const delay of DELAYS) {
          tell(`${starts} starts, ${question.id}, ${delay} ms`);
          for (let i = 0; i < starts; i++) first.push(await firstCheck(world, token, question, delay));
        }
        measured.push(
          ...countsOf(question, first),
          ...DELAYS.map((delay) => timesOf(question, delay, first)),
        );
      }
      return measured;
    } finally {
      await world.end();
    }
  },
};

/** @returns a token for checks */
async function publishBoth(world: World): Promise<string> {
  const edge = await world.serve();
  try {
    const small = join(world.folder, "small.txt");
    writeList(small, SMALL_MAILBOXES, SMALL);
    await world.rollcall(edge, "publish", "--domain", SMALL, small, "--yes");
    await world.publish(edge, world.list(LARGE_MAILBOXES));
    return await world.checkToken(edge);
  } finally {
    await edge.stop();
  }
}

/** The first check of one isolate. */
interface First {
  readonly delay: number;
  readonly ms: number;
  /** Reads that were over when the answer came, by kind: what goes on behind it is not counted. */
  readonly reads: Readonly<Record<string, number>>;
  readonly calls: number;
}

async function firstCheck(world: World, token: string, question: Question, delay: number): Promise<First> {
  const { kv } = world;
  await kv.delay(delay);
  const edge = await world.serve({ registryDelay: delay });
  try {
    await kv.reset();
    const begun = performance.now();
    const verdict = await verdictOf(edge.origin, token, question.name);
    const ms = performance.now() - begun;
    const [{ answered }, calls] = await Promise.all([kv.counts(), registryCalls(edge.origin, "answered")]);
    if (verdict !== question.verdict) throw new Error(`${question.name} was answered ${verdict}`);
    return { delay, ms, reads: answered, calls };
  } finally {
    await edge.stop();
  }
}

/** The most that any start needed. */
function countsOf({ id, reads }: Question, first: readonly First[]): Measurement[] {
  const words = inWords(id);
  const most = first.reduce((a, b) => (total(b.reads) > total(a.reads) ? b : a));
  const calls = Math.max(...first.map((each) => each.calls));
  return [
    {
      id: `cold.${id}.reads`,
      what: `cold check, ${words}: KV reads waited for`,
      value: total(most.reads),
      unit: "count",
      bar: { kind: "at most", value: reads },
      detail: figures("reads", most.reads),
    },
    {
      id: `cold.${id}.calls`,
      what: `cold check, ${words}: Registry calls waited for`,
      value: calls,
      unit: "count",
      bar: { kind: "at most", value: id.startsWith("known") ? 0 : 1 },
    },
  ];
}

function timesOf({ id }: Question, delay: number, all: readonly First[]): Measurement {
  const first = all.filter((each) => each.delay === delay);
  const { median, lowest, highest } = spreadOf(first.map(({ ms }) => ms));
  return {
    id: `cold.${id}.p50.${delay}ms`,
    what: `cold check, ${inWords(id)}, ${delay} ms away: p50`,
    value: median,
    unit: "ms",
    lowest,
    highest,
    detail: { starts: first.length },
  };
}

const inWords = (id: Question["id"]): string => {
  const [name, size] = id.split(".");
  return `${name} name of a ${size} domain`;
};

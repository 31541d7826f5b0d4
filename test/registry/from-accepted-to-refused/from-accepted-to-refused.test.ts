/*
 * The law "from accepted to refused" over random sequences of every action that makes a generation, on the real Registry.
 * Every pair of actions is tried in both orders.
 */

import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Manifest } from "../../../src/directory/index.ts";
import { Random } from "../../../testing/random.ts";
import { DAY, MINUTE, SECOND } from "../../../testing/world.ts";
import { FULL } from "../../support/full.ts";
import { Desk } from "../support.ts";
import { ACTIONS, type Action } from "./actions.ts";
import { Law, type Said } from "./law.ts";
import { pairOf, pairsPage } from "./pairs-page.ts";
import { NAMES, Scene } from "./scene.ts";

/**
 * Each action before and after a third of the others; ROLLCALL_FULL=1 tries 5,000 sequences, so every pair several times, and
 * ROLLCALL_SEQUENCES another number. UPDATE_DOCS=1 writes the table.
 */
const PAIRS = ACTIONS.length ** 2;
const SEQUENCES = Number(process.env.ROLLCALL_SEQUENCES ?? (FULL ? 5_000 : PAIRS));
/** Which of the sequences are tried. */
const isTried = (number: number): boolean => {
  const [first, second] = [Math.floor(number / ACTIONS.length), number % ACTIONS.length];
  return FULL || process.env.ROLLCALL_SEQUENCES !== undefined || (first + second) % 3 === 0;
};
const SEED = Number(process.env.ROLLCALL_SEED ?? 1);
const PAUSES = [SECOND, 5 * MINUTE, 50 * MINUTE, 70 * MINUTE, DAY + MINUTE];

/** Sequences that one Registry sees, each in a domain of its own. */
const TOGETHER = 10;
let desk: Desk;

/** How often each pair made two generations, one directly after the other. */
const pairs = new Map<string, number>();

async function sequence(number: number): Promise<void> {
  const random = new Random(SEED, number);
  const scene = new Scene(desk, number, random);
  await desk.publish(NAMES, { domain: scene.target });
  for (const name of NAMES) if (random.chance(0.8)) scene.source.set(name, "active");
  if (random.chance(0.3)) scene.source.set("ticket-*", "active");
  const policy = { guard: 0.5, catchall: random.chance(0.2), grace: 3_600 };
  expect(await scene.publish({ policy, force: true })).toBe(true);

  const law = new Law();
  const story: string[] = [];
  let moment = await momentOf(scene);
  law.judge(moment.said, scene.now, 0, new Set());
  /** Looks at what is said after a step. */
  const look = async (step: string, dismissed: ReadonlySet<string>): Promise<void> => {
    story.push(step);
    const before = moment;
    moment = await momentOf(scene);
    const grace = Math.max(...[before, moment].map(({ head }) => head?.policy.grace ?? 0)) * SECOND;
    for (const local of law.judge(moment.said, scene.now, grace, dismissed)) {
      const change = `${local} was ${before.said.get(local)}, and is ${moment.said.get(local)}`;
      expect.fail(`${scene.domain}: ${change} after: ${story.join(", ")}`);
    }
  };
  let last: Action | null = null;
  for (const action of actionsOf(number, random)) {
    const dismissed = await action.act(scene);
    if (dismissed === null) continue;
    if (last !== null) countPair(pairOf(last.name, action.name));
    last = action;
    await look(action.name, dismissed);
    if (random.chance(0.5)) continue;
    await desk.world.clock.advance(random.pick(PAUSES));
    await look("time", new Set());
  }
}

/** What is known of a domain at one moment. */
interface Moment {
  readonly head: Manifest | null;
  readonly said: Said;
}

const momentOf = async (scene: Scene): Promise<Moment> => ({
  head: await scene.head(),
  said: await scene.said(),
});

/** A few actions before and after the pair of this sequence. */
function actionsOf(number: number, random: Random): readonly Action[] {
  const pair = number % PAIRS;
  const first = ACTIONS[Math.floor(pair / ACTIONS.length)] as Action;
  const second = ACTIONS[pair % ACTIONS.length] as Action;
  const some = (most: number): Action[] =>
    Array.from({ length: random.between(0, most) }, () => random.pick(ACTIONS));
  return [...some(3), first, second, ...some(4)];
}

function countPair(name: string): void {
  pairs.set(name, (pairs.get(name) ?? 0) + 1);
}

it(
  "nobody goes from accepted to refused",
  async () => {
    const numbers = Array.from({ length: SEQUENCES }, (_, number) => number).filter(isTried);
    for (const [i, number] of numbers.entries()) {
      if (i % TOGETHER === 0) desk = await new Desk().open();
      await sequence(number);
    }
    // Some pairs are none: nothing can be released that the brake does not hold.
    expect(pairs.size).toBeGreaterThan(PAIRS * 0.6);
    console.info(`${numbers.length} sequences, ${pairs.size} of ${PAIRS} pairs`);
    if (process.env.UPDATE_DOCS === "1")
      writeFileSync(new URL("../../../docs/pairs.md", import.meta.url), pairsPage(pairs, SEQUENCES, SEED));
  },
  60_000 + 1_000 * SEQUENCES,
);

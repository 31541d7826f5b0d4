import type { FaultKind } from "../../testing/faults.ts";
import type { Random } from "../../testing/random.ts";
import { type Add, SECOND, type Setup } from "./plan.ts";

/** Faults of which episodes are made, each with the largest share of operations that meet it. */
const FAULTS: readonly (readonly [FaultKind, number])[] = [
  ["kv read error", 0.5],
  ["kv read slow", 0.5],
  ["kv read hangs", 0.2],
  ["kv read 429", 0.4],
  ["kv read flaps", 1],
  ["kv read damaged", 0.3],
  ["kv write error", 0.6],
  ["kv write 429", 0.6],
  ["kv write lost", 0.4],
  ["kv write late", 0.5],
  ["kv write repeated", 0.5],
  ["kv write slow", 0.5],
  ["registry unreachable", 0.6],
  ["registry unreachable", 1],
  ["registry hangs", 0.4],
  ["registry slow", 0.6],
  ["registry answer late", 0.5],
  ["registry answer late", 1],
  ["registry answer lost", 0.4],
  ["registry call repeated", 0.5],
  ["registry replaced", 0.5],
  ["alarm late", 0.6],
  ["alarm twice", 0.6],
  ["alarm fails", 0.6],
  ["edge away", 1],
  ["edge away", 0.4],
  ["edge slow", 0.5],
  ["edge answers nonsense", 0.5],
  ["edge answer lost", 0.4],
  ["isolate computes long", 0.3],
  ["publisher crashes", 0.3],
];

/** Faults at any time, for seconds or minutes. */
export function addEpisodes(random: Random, setup: Setup, length: number, add: Add): void {
  // Some worlds are quiet: what goes wrong there goes wrong without any help.
  const episodes = random.chance(0.15) ? 0 : random.between(1, 14);
  for (let i = 0; i < episodes; i++) {
    const [kind, highest] = random.pick(FAULTS);
    const from = random.next() * length;
    const lasts = random.chance(0.2) ? random.between(60, 600) : random.between(2, 90);
    const share = highest === 1 ? 1 : highest * random.next();
    const location = random.chance(0.5) && isLocal(kind) ? random.pick(setup.locations) : null;
    const episode = { kind, from, to: Math.min(length, from + lasts * SECOND), location, share, id: i };
    add(from, { kind: "episode", episode });
  }
}

const isLocal = (kind: FaultKind): boolean =>
  kind.startsWith("kv read") ||
  kind.startsWith("registry") ||
  kind.startsWith("edge") ||
  kind.startsWith("isolate");

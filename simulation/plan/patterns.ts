/** Lists with patterns, and names that they cover. */
import { ENTRY_STATES, type EntryState } from "../../src/directory/index.ts";
import type { Random } from "../../testing/random.ts";
import { type Add, SECOND, type Setup } from "./plan.ts";

/** Patterns that lists may have: several cover one name, by its start, by its end, and by more or less of it. */
const PATTERNS = ["t0-*", "t1-*", "t0-t1-*", "*-e0", "*-e1", "*-x-e0", "t0-y-*"] as const;

/** A name that some of them cover, or nearly. */
export function patternedName(random: Random): string {
  const start = random.pick(["t0-", "t0-", "t1-", "t0-t1-", "t0-y-", "t2-", ""]);
  const end = random.pick(["-e0", "-e1", "-x-e0", "-x-e0", "-e2", ""]);
  // Two characters at least, so that a dot can stand between them; and more delimiters than are tried.
  const middle = random.pick(["nn", "mm", "a-b-c-d-n", "a-b-c-d-e-f-g-h"]);
  return `${start}${middle}${end}`;
}

/** Changes the patterns of a list, and names that they cover, which get states of their own. */
export function changePatterns(
  random: Random,
  patterns: Map<string, EntryState>,
  list: Map<string, EntryState>,
): void {
  for (const pattern of PATTERNS.filter(() => random.chance(0.6))) {
    if (random.chance(0.25)) patterns.delete(pattern);
    else patterns.set(pattern, random.pick(ENTRY_STATES));
  }
  for (let i = random.between(0, 2); i > 0; i--) list.set(patternedName(random), random.pick(ENTRY_STATES));
}

/** Three of four deployments have lists with patterns. */
export function addPatterns(random: Random, { domains }: Setup, length: number, add: Add): void {
  if (!random.chance(0.75)) return;
  for (const domain of domains) {
    if (!random.chance(0.6)) continue;
    for (let times = random.between(1, 6); times > 0; times--) {
      const at = 5_000 + random.next() * length * 0.95;
      add(at, { kind: "publish", domain, change: "patterns", forces: random.chance(0.6) });
      // A rollback takes them along.
      if (random.chance(0.4))
        add(at + random.between(5, 60) * SECOND, {
          kind: "publish",
          domain,
          change: "rollback",
          forces: true,
        });
    }
  }
}

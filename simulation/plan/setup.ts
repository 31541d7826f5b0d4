import { Random } from "../../testing/random.ts";
import { DAY, MINUTE, SECOND, type Setup } from "./plan.ts";

/** Bytes that an isolate needs for one check: one with less room for a manifest and its blobs is of no use. */
export const leastCache = ({ hasExodus }: Setup): number => 34_000 + (hasExodus ? 100_000 : 0);

/** KV writes a day of one partition: so few that copies of single changes have to wait, or enough for all of a world. */
const SCARCE = 40;
const AMPLE = 1_000;

/** A deployment for one world. */
interface Purpose {
  /** Deleted domains are pruned, which isolates learn from complete answers. */
  readonly prunes: boolean;
  /** A Registry is lost: most of all one of several. */
  readonly hasLoss: boolean;
}

export function makeSetup(seed: number, random: Random, { prunes, hasLoss }: Purpose): Setup {
  const locations = ["ams", "bom", "cdg", "dfw", "eze"].slice(0, random.between(1, 5));
  const count = random.between(2, 8);
  return {
    window: random.pick([30, 30, 30, 10]) * SECOND,
    acceptGrace: random.pick([7 * DAY, 7 * DAY, 10 * MINUTE, 2 * MINUTE]),
    partitions: random.pick(hasLoss ? [1, 2, 2, 3] : [1, 1, 2, 3]),
    history: prunes ? 2 * DAY : random.pick([30 * DAY, 2 * DAY]),
    // None, some or all of the domains that there are.
    mostHeads: prunes ? 500 : new Random(seed, "most heads").pick([0, 3, 500]),
    grace: random.pick([3600, 3600, 120, 20, 0]),
    kvWrites: new Random(seed, "kv writes").pick([SCARCE, AMPLE]),
    locations,
    domains: Array.from({ length: count }, (_, i) => `d${i}.example`),
    hasExodus: new Random(seed, "exodus").chance(0.3),
    shapes: Array.from({ length: count }, () => ({
      bits: random.pick([0, 0, 1, 2]),
      names: random.between(6, 40),
    })),
  };
}

import type { FaultKind } from "../../testing/faults.ts";
import type { Random } from "../../testing/random.ts";
import { LARGE_CACHE } from "./meeting.ts";
import { type Add, CHANGES, SECOND, type Setup } from "./plan.ts";
import { leastCache } from "./setup.ts";

/** Faults that matter when they come together, each with what happens beside them. */
export function addTroubles(random: Random, setup: Setup, length: number, scale: number, add: Add): void {
  if (random.chance(0.15)) return;
  for (let i = random.between(1, 3); i > 0; i--) {
    let at = 8_000 + random.next() * Math.max(0, length - 300_000);
    const lasts = random.between(60, 240) * SECOND;
    const begin = (from: number, kind: FaultKind, share: number): void => {
      const id = 1_000 + random.between(0, 1e6);
      const episode = { kind, from, to: from + lasts, location: null, share, id };
      add(from, { kind: "episode", episode });
    };
    const isolates = (count: number, cacheBytes: number, within: number): void => {
      for (let j = 0; j < count; j++) {
        const location = random.pick(setup.locations);
        add(at + random.next() * within, { kind: "isolate", location, cacheBytes, window: setup.window });
      }
    };
    const troubles: readonly (() => void)[] = [
      () => begin(at, "registry answer late", random.pick([0.5, 1])),
      () => {
        add(at, { kind: "restart", partition: random.between(0, setup.partitions - 1) });
        begin(at, "registry replaced", 0.5);
      },
      () => {
        begin(at, "kv read flaps", 1);
        begin(at + 2_000, "registry unreachable", 1);
        isolates(3, leastCache(setup), 1_000);
      },
      () => {
        begin(at, "kv read damaged", 0.5);
        isolates(8, LARGE_CACHE, lasts);
      },
      () => {
        // At the end, so that no later change writes again what was lost.
        at = Math.max(at, length - lasts);
        begin(at, "kv write lost", 0.8);
      },
      () => begin(at, "edge away", random.pick([0.7, 1])),
      () => begin(at, "edge answers nonsense", 0.4),
    ];
    random.pick(troubles)();
    for (let j = 0; j < 5; j++) {
      const domain = random.pick(setup.domains);
      const when = at - 1_000 + (j < 2 ? random.next() * 3_000 : random.next() * lasts);
      add(when, { kind: "publish", domain, change: random.pick(CHANGES), forces: true });
      // Questions that are under way while it is taken.
      for (const how of ["one by one", "http"] as const) {
        add(when + random.next() * 400, { kind: "checks", count: 10, how });
      }
    }
    const after = (): number => at - 10_000 + random.next() * (lasts + 40_000);
    for (let j = 0; j < 12; j++) {
      const share = Math.max(scale, 0.2);
      add(after(), { kind: "checks", count: Math.ceil(share * random.between(5, 50)), how: "one by one" });
      add(after(), { kind: "bridge checks", count: Math.ceil(share * random.between(2, 20)) });
    }
  }
}

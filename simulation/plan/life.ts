/** What happens in every deployment: isolates start and end, publishers publish, releases roll out. */
import type { Random } from "../../testing/random.ts";
import { LARGE_CACHE } from "./meeting.ts";
import { type Add, CHANGES, SECOND, type Setup } from "./plan.ts";
import { leastCache } from "./setup.ts";

export function addIsolates(random: Random, setup: Setup, length: number, scale: number, add: Add): void {
  for (const location of setup.locations)
    add(0, { kind: "isolate", location, cacheBytes: LARGE_CACHE, window: setup.window });
  const births = Math.ceil(4 + scale * random.between(0, random.chance(0.2) ? 146 : 26));
  for (let i = 0; i < births; i++) {
    add(random.next() * length, {
      kind: "isolate",
      location: random.pick(setup.locations),
      cacheBytes: random.chance(0.25) ? leastCache(setup) + random.between(0, 56_000) : LARGE_CACHE,
      // A rollout under another setting: both are at work at once.
      window: random.chance(0.15) ? random.pick([5, 10, 60]) * SECOND : setup.window,
    });
    add(random.next() * length, { kind: "death" });
  }
}

export function addChanges(random: Random, setup: Setup, length: number, add: Add): void {
  const { domains, partitions } = setup;
  const restart = (at: number): void =>
    add(at, { kind: "restart", partition: random.between(0, partitions - 1) });
  for (const domain of domains)
    add(random.between(0, 4_000), { kind: "publish", domain, change: "add", forces: true });
  for (let changes = random.between(8, 50); changes > 0; changes--) {
    const at = 5_000 + random.next() * length;
    const domain = random.pick(domains);
    const forces = random.chance(0.5);
    const publish = (when: number): void =>
      add(when, { kind: "publish", domain, change: random.pick(CHANGES), forces });
    publish(at);
    // Races, and restarts in the middle of it.
    if (random.chance(0.25)) publish(at + random.between(0, 60));
    if (random.chance(0.2)) restart(at + random.between(0, 150));
  }
  for (let restarts = random.between(0, 12); restarts > 0; restarts--) restart(random.next() * length);
}

export function addTokens(random: Random, length: number, add: Add): void {
  for (let i = random.between(0, 3); i > 0; i--) {
    const role = random.pick(["check", "check", "publish"] as const);
    add(4_000 + random.next() * length * 0.3, { kind: "token", role });
  }
  for (let i = random.between(0, 3); i > 0; i--)
    add(length * (0.3 + 0.7 * random.next()), { kind: "revocation" });
}

/** The Registries get the next release at some time; now and then it is taken back. */
export function addRollouts(random: Random, setup: Setup, length: number, add: Add): void {
  if (!random.chance(0.4)) return;
  for (let partition = 0; partition < setup.partitions; partition++) {
    const at = random.next() * length;
    add(at, { kind: "rollout", partition, release: "next" });
    if (random.chance(0.3))
      add(at + random.next() * (length - at), { kind: "rollout", partition, release: "today" });
  }
}

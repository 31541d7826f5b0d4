/** What happens in a world: made from the seed alone, before anything happens, so that parts can be left out. */

import type { Episode, FaultKind } from "../basics/faults.ts";
import { Random } from "../basics/random.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How a deployment is set up. */
export interface Setup {
  readonly window: number;
  readonly acceptGrace: number;
  readonly partitions: number;
  readonly history: number;
  readonly grace: number;
  readonly locations: readonly string[];
  readonly domains: readonly string[];
  /** Domains that are exported to KV past the Registry. */
  readonly exported: readonly string[];
  /** Shard bits of each domain, and how many names it has about. */
  readonly shapes: readonly Shape[];
}

/** Of a domain: bits of its table of shards, and how many names it has about. */
export interface Shape {
  readonly bits: number;
  readonly names: number;
}

export const CHANGES = [
  "add",
  "add",
  "add",
  "remove",
  "remove",
  "remove",
  "swap",
  "states",
  "remove many",
  "replace",
  "policy",
  "mode",
  "rotate",
  "alias",
  "alias",
  "unalias",
  "rollback",
  "delete",
  "delete",
  "with alias",
] as const;
export type Change = (typeof CHANGES)[number];

/** One thing that happens. `id` names its stream of numbers. */
export type Step = { readonly id: number; readonly at: number } & (
  | {
      readonly kind: "isolate";
      readonly location: string;
      readonly cacheBytes: number;
      readonly window: number;
    }
  | { readonly kind: "death" }
  | { readonly kind: "publish"; readonly domain: string; readonly change: Change; readonly forces: boolean }
  | { readonly kind: "restart"; readonly partition: number }
  | { readonly kind: "episode"; readonly episode: Episode }
  | { readonly kind: "checks"; readonly count: number; readonly how: "one by one" | "batch" | "http" }
  | { readonly kind: "strangers"; readonly count: number; readonly what: "domains" | "names" }
  | { readonly kind: "bridge"; readonly location: string }
  | { readonly kind: "bridge checks"; readonly count: number }
  | { readonly kind: "token"; readonly role: "check" | "publish" }
  | { readonly kind: "revocation" }
  | { readonly kind: "export"; readonly domain: string }
);

export interface Plan {
  readonly seed: number;
  readonly setup: Setup;
  readonly steps: readonly Step[];
  /** Milliseconds until faults stop. */
  readonly length: number;
}

type Bare = Step extends infer S ? (S extends Step ? Omit<S, "id" | "at"> : never) : never;

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

/** Checks of one world where nothing else is asked for. */
export const CHECKS_OF_A_WORLD = 20_000;

export function makePlan(seed: number, checks = CHECKS_OF_A_WORLD): Plan {
  const random = new Random(seed, "plan");
  const setup = makeSetup(random);
  const steps: Step[] = [];
  const add = (at: number, step: Bare): void => {
    steps.push({ id: steps.length, at: Math.round(at), ...step } as Step);
  };
  const length = random.between(4, 25) * MINUTE;
  const { locations, domains } = setup;

  const isolate = (at: number): void =>
    add(at, {
      kind: "isolate",
      location: random.pick(locations),
      cacheBytes: random.chance(0.25) ? random.between(34_000, 90_000) : 64 * 1024 * 1024,
      // A rollout under another setting: both are at work at once.
      window: random.chance(0.15) ? random.pick([5, 10, 60]) * SECOND : setup.window,
    });
  for (const location of locations) {
    add(0, { kind: "isolate", location, cacheBytes: 64 * 1024 * 1024, window: setup.window });
  }
  for (const domain of domains)
    add(random.between(0, 4_000), { kind: "publish", domain, change: "add", forces: true });

  const births = random.between(4, random.chance(0.2) ? 150 : 30);
  for (let i = 0; i < births; i++) isolate(random.next() * length);
  for (let i = 0; i < births; i++) add(random.next() * length, { kind: "death" });

  const changes = random.between(8, 50);
  for (let i = 0; i < changes; i++) {
    const at = 5_000 + random.next() * length;
    const domain = random.pick(domains);
    const forces = random.chance(0.5);
    add(at, { kind: "publish", domain, change: random.pick(CHANGES), forces });
    // Races, and restarts in the middle of it.
    if (random.chance(0.25)) {
      add(at + random.between(0, 60), { kind: "publish", domain, change: random.pick(CHANGES), forces });
    }
    if (random.chance(0.2)) {
      add(at + random.between(0, 150), {
        kind: "restart",
        partition: random.between(0, setup.partitions - 1),
      });
    }
  }
  for (const domain of setup.exported) {
    const times = random.between(1, 5);
    for (let i = 0; i < times; i++) add(random.next() * length, { kind: "export", domain });
    if (random.chance(0.3)) {
      add(random.next() * length, { kind: "publish", domain, change: "add", forces: true });
    }
  }
  const restarts = random.between(0, 12);
  for (let i = 0; i < restarts; i++) {
    add(random.next() * length, { kind: "restart", partition: random.between(0, setup.partitions - 1) });
  }
  addEpisodes(random, setup, length, add);
  addTroubles(random, setup, length, add);
  addChecks(random, length, checks, steps, add);
  for (let i = random.between(0, 3); i > 0; i--) {
    add(4_000 + random.next() * length * 0.3, {
      kind: "token",
      role: random.pick(["check", "check", "publish"]),
    });
  }
  for (let i = random.between(0, 3); i > 0; i--)
    add(length * (0.3 + 0.7 * random.next()), { kind: "revocation" });

  const gap = random.chance(0.25)
    ? { from: random.next() * length, by: random.pick([HOUR, 3 * HOUR, 26 * HOUR, 75 * HOUR]) }
    : null;
  const shift = (at: number): number => (gap === null || at < gap.from ? at : at + gap.by);
  return {
    seed,
    setup,
    length: shift(length) + 5_000,
    // In the order in which they happen; those of one moment in the order in which they were thought of.
    steps: steps.map((step) => ({ ...step, at: shift(step.at) })).sort((a, b) => a.at - b.at || a.id - b.id),
  };
}

function makeSetup(random: Random): Setup {
  const locations = ["ams", "bom", "cdg", "dfw", "eze"].slice(0, random.between(1, 5));
  const count = random.between(2, 8);
  return {
    window: random.pick([30, 30, 30, 10]) * SECOND,
    acceptGrace: random.pick([7 * DAY, 7 * DAY, 10 * MINUTE, 2 * MINUTE]),
    partitions: random.pick([1, 1, 2, 3]),
    history: random.pick([30 * DAY, 2 * DAY]),
    grace: random.pick([3600, 3600, 120, 20, 0]),
    locations,
    domains: Array.from({ length: count }, (_, i) => `d${i}.example`),
    exported: random.chance(0.4) ? ["export.example"] : [],
    shapes: Array.from({ length: count }, () => ({
      bits: random.pick([0, 0, 1, 2]),
      names: random.between(6, 40),
    })),
  };
}

type Add = (at: number, step: Bare) => void;

function addEpisodes(random: Random, setup: Setup, length: number, add: Add): void {
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

/** Faults that matter when they come together, each with what happens beside them. */
function addTroubles(random: Random, setup: Setup, length: number, add: Add): void {
  if (random.chance(0.15)) return;
  for (let i = random.between(1, 3); i > 0; i--) {
    let at = 8_000 + random.next() * Math.max(0, length - 300_000);
    const lasts = random.between(60, 240) * SECOND;
    const begin = (from: number, kind: FaultKind, share: number, ms = lasts): void => {
      const episode = {
        kind,
        from,
        to: from + ms,
        location: null,
        share,
        id: 1_000 + random.between(0, 1e6),
      };
      add(from, { kind: "episode", episode });
    };
    const isolates = (count: number, cacheBytes: number, within: number): void => {
      for (let j = 0; j < count; j++) {
        const location = random.pick(setup.locations);
        add(at + random.next() * within, { kind: "isolate", location, cacheBytes, window: setup.window });
      }
    };
    switch (random.between(0, 6)) {
      case 0:
        begin(at, "registry answer late", random.pick([0.5, 1]));
        break;
      case 1:
        add(at, { kind: "restart", partition: random.between(0, setup.partitions - 1) });
        begin(at, "registry replaced", 0.5);
        break;
      case 2:
        begin(at, "kv read flaps", 1);
        begin(at + 2_000, "registry unreachable", 1);
        isolates(3, 34_000, 1_000);
        break;
      case 3:
        begin(at, "kv read damaged", 0.5);
        isolates(8, 64 * 1024 * 1024, lasts);
        break;
      case 4:
        // At the end, where no later change writes anew what was lost.
        at = Math.max(at, length - lasts);
        begin(at, "kv write lost", 0.8);
        break;
      case 5:
        begin(at, "edge away", random.pick([0.7, 1]));
        break;
      default:
        begin(at, "edge answers nonsense", 0.4);
    }
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
      add(after(), { kind: "checks", count: random.between(5, 50), how: "one by one" });
      add(after(), { kind: "bridge checks", count: random.between(2, 20) });
    }
  }
}

const isLocal = (kind: FaultKind): boolean =>
  kind.startsWith("kv read") ||
  kind.startsWith("registry") ||
  kind.startsWith("edge") ||
  kind.startsWith("isolate");

function addChecks(random: Random, length: number, checks: number, steps: readonly Step[], add: Add): void {
  const changes = steps.filter((step) => step.kind === "publish").map((step) => step.at);
  const bridges = random.between(1, 3);
  for (let i = 0; i < bridges; i++) {
    add(random.next() * length * 0.4, { kind: "bridge", location: random.pick(["ams", "bom"]) });
  }
  // Most come close behind a change, and about when the windows of what was before it end.
  const moment = (): number =>
    random.chance(0.6) ? random.pick(changes) + random.next() ** 2 * 90_000 : random.next() * length;
  for (let left = checks; left > 0; ) {
    const count = Math.min(left, random.chance(0.3) ? random.between(1, 4) : random.between(10, 160));
    left -= count;
    const how = random.chance(0.08) ? "http" : random.chance(0.2) ? "batch" : "one by one";
    add(Math.min(length, moment()), { kind: "checks", count, how });
  }
  const visits = Math.ceil(checks / 150);
  for (let i = 0; i < visits; i++) {
    add(Math.min(length, moment()), { kind: "bridge checks", count: random.between(1, 20) });
  }
  for (let i = random.between(0, 4); i > 0; i--) {
    const what = random.pick(["domains", "names"] as const);
    add(random.next() * length, { kind: "strangers", count: random.between(50, 800), what });
  }
}

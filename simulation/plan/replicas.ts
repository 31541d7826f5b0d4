/** A mail host with a replica that anything may happen to: most of all shortly before and after a change. */
import type { Random } from "../../testing/random.ts";
import { type Add, DAY, HOUR, type HostTrouble, MINUTE, SECOND, type Setup, type Step } from "./plan.ts";

/** No isolate is kept for it: its requests go to any. */
const FOCUS = 1;
const SHARE = 0.6;

const clockOf = (random: Random): number => random.pick([0, 0, 0, -DAY, -HOUR, -20 * SECOND, HOUR, DAY]);

/** Of a host that sleeps: one that is set back by as long as it slept, or less, cannot be noticed (docs/replica.md). */
function clockAfterSleep(random: Random, slept: number): number {
  const clock = clockOf(random);
  return clock < 0 && -clock < slept + 2 * SECOND ? 0 : clock;
}

export const FILES = ["settings", "time", "logs/", "keys/", "manifests/", "blobs/", ""] as const;

/** One thing that happens to a host, and how long it lasts. */
function someTrouble(random: Random, setup: Setup): HostTrouble {
  const { domains, window } = setup;
  const ms = random.pick([100, SECOND, 10 * SECOND, window + 5 * SECOND, 2 * MINUTE]);
  const troubles: readonly (() => HostTrouble)[] = [
    () => ({ what: "off", how: "killed", ms, clock: clockOf(random) }),
    () => ({ what: "off", how: "power fails", ms, clock: clockOf(random) }),
    () => ({ what: "off", how: "dies while it writes", ms: ms + 20 * SECOND, clock: 0 }),
    () => ({
      what: "sleep",
      ms: ms + 10 * SECOND,
      clock: clockAfterSleep(random, ms + 10 * SECOND),
    }),
    () => ({ what: "clock", by: random.pick([-DAY, -HOUR, -5 * SECOND, 5 * SECOND, MINUTE, DAY]) }),
    () => ({ what: "disk", fault: random.pick(["full", "read-only", "unreadable", "slow"]), ms: 3 * ms }),
    () => ({ what: "damage", how: random.pick(["flip", "missing", "swap"]), files: random.pick(FILES) }),
    () => ({ what: "damage", how: random.pick(["copy", "older copy"]), files: "" }),
    () => ({
      what: "token",
      domains: random.pick([null, domains.slice(0, random.between(1, domains.length))]),
    }),
    () => ({ what: "revocation" }),
  ];
  return random.pick(troubles)();
}

export function addReplicas(
  random: Random,
  setup: Setup,
  length: number,
  steps: readonly Step[],
  add: Add,
): void {
  if (!random.chance(SHARE)) return;
  const changes = steps.filter((step) => step.kind === "publish").map((step) => step.at);
  const start = 5_000 + random.next() * (length - 3 * MINUTE);
  // Polls are what it costs.
  const end = Math.min(length, start + random.between(3, 8) * MINUTE);
  const own = changes.filter((at) => at > start && at < end);
  const covers = random.pick([null, setup.domains]);
  add(start, { kind: "bridge", location: random.pick(setup.locations), focus: FOCUS, covers });
  const ask = (at: number, count = random.between(2, 6)): void =>
    add(Math.min(at, end), { kind: "bridge checks", focus: FOCUS, count });
  const moment = (): number =>
    own.length > 0 && random.chance(0.6)
      ? random.pick(own) + random.next() ** 2 * 40 * SECOND
      : start + random.next() * (end - start);
  for (let visits = 40; visits > 0; visits--) ask(moment());
  for (let troubles = random.between(0, 6); troubles > 0; troubles--) {
    const at = moment();
    const trouble = someTrouble(random, setup);
    add(at, { kind: "host", focus: FOCUS, trouble });
    const over = at + ("ms" in trouble ? trouble.ms : 0);
    for (const later of [1, 50, SECOND, 4 * SECOND, setup.window + 200]) ask(over + later);
    if (trouble.what === "revocation" || trouble.what === "token")
      add(over + random.between(5, 60) * SECOND, {
        kind: "host",
        focus: FOCUS,
        trouble: { what: "token", domains: covers },
      });
    // It reads what was damaged when it starts.
    if (trouble.what === "damage" && random.chance(0.6)) {
      const off: HostTrouble = { what: "off", how: "killed", ms: 100, clock: 0 };
      add(at + 20, { kind: "host", focus: FOCUS, trouble: off });
      for (const later of [150, 300, SECOND, 20 * SECOND]) ask(at + later);
    }
  }
  if (end < length) add(end + 100, { kind: "host", focus: FOCUS, trouble: { what: "end" } });
}

/** No host polls through a long pause: each is off or asleep until it is over. */
export function pauseOfHosts(random: Random, pause: number): HostTrouble {
  const ms = pause + random.between(1, 10) * SECOND;
  return random.chance(0.5) ? { what: "off", how: "killed", ms, clock: 0 } : { what: "sleep", ms, clock: 0 };
}

import type { Clock } from "./ports.ts";

/** How far the two clocks may differ by slewing and rounding before it is taken for a sleep. */
const TOLERANCE_MS = 1_000;

/**
 * A clock that never goes back and misses no time. A steady clock stands still while a machine sleeps or its
 * virtual machine is paused, and a refusal would be given for too long after it wakes. The wall clock does not:
 * where it gains on the steady one, that time has passed as well. Set back, it changes nothing.
 *
 * @param steady milliseconds that never go back
 * @param wall Unix milliseconds
 */
export function createClock(steady: () => number, wall: () => number): Clock {
  let lead = wall() - steady();
  let slept = 0;
  return {
    now() {
      const now = steady();
      const gained = wall() - now - lead;
      if (gained > TOLERANCE_MS) slept += gained;
      if (gained > TOLERANCE_MS || gained < 0) lead += gained;
      return now + slept;
    },
  };
}

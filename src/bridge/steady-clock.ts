import type { SteadyClock } from "./ports.ts";

/** How far slewing and rounding may move the two clocks apart before it counts as sleep. */
const TOLERANCE_MS = 1_000;

/**
 * A clock that never goes back and counts the time that the machine slept. A monotonic clock stands still while a machine
 * sleeps or its virtual machine is paused, and a refusal would be given for too long after it wakes. The wall clock
 * moves on: where it gains on the monotonic one, that time has passed as well. Setting it back changes nothing.
 *
 * @param monotonic milliseconds that never go back
 * @param wall Unix milliseconds
 * @param gained learns of each gain that counts as passed, and what the clock showed before
 */
export function createSteadyClock(
  monotonic: () => number,
  wall: () => number,
  gained: (ms: number, before: number) => void = () => undefined,
): SteadyClock {
  let lead = wall() - monotonic();
  let slept = 0;
  return {
    now() {
      const now = monotonic();
      const gain = wall() - now - lead;
      if (gain > TOLERANCE_MS || gain < 0) lead += gain;
      if (gain > TOLERANCE_MS) {
        const before = now + slept;
        slept += gain;
        gained(gain, before);
      }
      return now + slept;
    },
  };
}

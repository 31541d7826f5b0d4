import type { Timers } from "../runtime/ports.ts";

/** Lets others have their turn, if enough work was done since they had it. */
export type Pause = (work?: number) => Promise<void>;

/** Lets others have their turn after so much work. @param most in units of the caller's own */
export function pauseEvery(timers: Timers, most: number): Pause {
  let done = 0;
  return async (work = 1) => {
    done += work;
    if (done < most) return;
    done = 0;
    await timers.sleep(0);
  };
}

import type { Nap, Timers } from "./ports.ts";

/** The work took longer than it may. */
export class TimeoutError extends Error {
  constructor() {
    super("took too long");
    this.name = "TimeoutError";
  }
}

/**
 * Waits for `work`, but no longer than `ms`. Work that takes longer is not stopped, and its result is dropped.
 * @param late makes the error for work that takes longer
 */
export function withTimeout<T>(
  timers: Timers,
  ms: number,
  work: () => Promise<T>,
  late: () => Error = () => new TimeoutError(),
): Promise<T> {
  // One promise instead of a race of several: every check with a body passes through here.
  return new Promise<T>((resolve, reject) => {
    const nap: Nap = {};
    timers.sleep(ms, nap).then(() => reject(late()), reject);
    work().then(
      (value) => {
        nap.cancel?.();
        resolve(value);
      },
      (error: unknown) => {
        nap.cancel?.();
        reject(error);
      },
    );
  });
}

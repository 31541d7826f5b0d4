import type { Nap, Timers } from "./ports.ts";

/** What was waited for did not come in time. */
export class TookTooLong extends Error {
  constructor() {
    super("took too long");
    this.name = "TookTooLong";
  }
}

/**
 * What comes of `work` within `patience` milliseconds. Work that takes longer is not stopped, only waited for no
 * more; how it ends is then nobody's business.
 * @param late what to fail with where it takes longer
 */
export function within<T>(
  timers: Timers,
  patience: number,
  work: () => Promise<T>,
  late: () => Error = () => new TookTooLong(),
): Promise<T> {
  // One promise instead of a race of several: every check with a body comes through here.
  return new Promise<T>((resolve, reject) => {
    const nap: Nap = {};
    timers.sleep(patience, nap).then(() => reject(late()), reject);
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

import type { Nap, Timers } from "./ports.ts";

/**
 * What comes of `work` within `patience` milliseconds. Work that takes longer is not stopped, only waited for no
 * more.
 * @throws Error where it takes longer
 */
export async function within<T>(timers: Timers, patience: number, work: () => Promise<T>): Promise<T> {
  let isLate = false;
  const nap: Nap = {};
  const late = timers.sleep(patience, nap).then((): never => {
    isLate = true;
    throw new Error("took too long");
  });
  const done = work();
  try {
    return await Promise.race([done, late]);
  } finally {
    nap.cancel?.();
    // Whichever comes second must not be an unhandled rejection.
    if (isLate) done.catch(() => undefined);
    else late.catch(() => undefined);
  }
}

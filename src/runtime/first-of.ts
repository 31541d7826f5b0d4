/** Timers that an AbortSignal cancels, as on Node. */
export interface AbortableTimers {
  /** Resolves after `ms`; early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Waits for `work`, but no longer than `ms`. Work that takes longer is not stopped.
 * @returns the result of `work`, or null if it took longer
 */
export async function firstOf<T>(
  timers: AbortableTimers,
  ms: number,
  work: () => Promise<T>,
): Promise<T | null> {
  const settled = new AbortController();
  const late = timers.sleep(ms, settled.signal).then(() => null);
  try {
    return await Promise.race([work(), late]);
  } finally {
    // The reason keeps the platform from making an error, with its stack, for each timer.
    settled.abort("settled");
  }
}

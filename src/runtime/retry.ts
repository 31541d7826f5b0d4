/**
 * Runs `work` until it succeeds or should not be tried again.
 * @param pauseAfter milliseconds to wait after this failure, or null to give up; `attempt` counts from 1
 * @throws what the last attempt threw
 */
export async function retry<T>(
  timers: { sleep(ms: number): Promise<void> },
  pauseAfter: (error: unknown, attempt: number) => number | null,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const pause = pauseAfter(error, attempt);
      if (pause === null) throw error;
      await timers.sleep(pause);
    }
  }
}

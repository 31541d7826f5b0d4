import type { AbortableTimers } from "./ports.ts";

/**
 * Runs a task again and again, each time after the pause that the last run returned.
 * @param firstPause ms before the first run
 * @param task never rejects; returns the pause before the next run, ms
 * @returns stops it
 */
export function repeat(
  timers: AbortableTimers,
  firstPause: number,
  task: () => number | Promise<number>,
): () => void {
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    for (let pause = firstPause; ; pause = await task()) {
      await timers.sleep(pause, stopped.signal);
      if (stopped.signal.aborted) return;
    }
  };
  void run();
  return () => stopped.abort("stopped");
}

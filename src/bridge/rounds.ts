import type { Timers } from "./ports.ts";

/** Does something again and again until it is stopped, each time after a pause that the time before has named. */
export class Rounds {
  readonly #stopped = new AbortController();

  /**
   * @param first pause before the first time, ms
   * @param round never rejects; returns the pause before the next time, ms
   */
  constructor(timers: Timers, first: number, round: () => number | Promise<number>) {
    void this.#run(timers, first, round);
  }

  stop(): void {
    this.#stopped.abort("stopped");
  }

  async #run(timers: Timers, first: number, round: () => number | Promise<number>): Promise<void> {
    const { signal } = this.#stopped;
    let pause = first;
    for (;;) {
      await timers.sleep(pause, signal);
      if (signal.aborted) return;
      pause = await round();
    }
  }
}

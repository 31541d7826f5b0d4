import type { BridgePorts } from "../../../src/bridge/index.ts";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** Lets everything that is settled run on, without any time going by. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

/** A clock that moves only when it is told to, and timers that go by it. */
export class VirtualTime implements BridgePorts {
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly clock = { now: (): number => this.#now };
  readonly timers = {
    sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper: Sleeper = {
          at: this.#now + ms,
          wake: () => {
            this.#sleepers.delete(sleeper);
            resolve();
          },
        };
        this.#sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      }),
  };

  /** Timers that are still to ring. */
  get pending(): number {
    return this.#sleepers.size;
  }

  /** Moves on by `ms`; whoever sleeps wakes at his time, in order. */
  async advance(ms: number): Promise<void> {
    await settle();
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#sleepers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

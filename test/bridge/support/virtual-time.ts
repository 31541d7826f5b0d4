import type { BridgePorts } from "../../../src/bridge/index.ts";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** Runs everything that can run without time passing. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

/** A clock that moves only when a test moves it, and its timers. */
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
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        this.#sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      }),
  };

  /** Timers that have not fired yet. */
  get pending(): number {
    return this.#sleepers.size;
  }

  /** Moves on until a promise is settled; real sockets get their turns. */
  async until(promise: Promise<unknown>): Promise<void> {
    let isOver = false;
    void promise.then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
      if (!isOver) await this.advance(10);
    }
  }

  /** Moves on by `ms`; sleepers wake at their time, in order. */
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

import type { Timers } from "./ports.ts";

/** Time in which a part of the edge that has just started hears from the Registry, ms. */
const PAUSE_MS = 5_000;
/** Questions that wait to be asked again, or are asked again. */
const MOST = 64;

/**
 * Asks once more behind an answer, a few seconds later. Bounded, one at a time for each question, and lossy: a
 * question that is left out is asked again with the recipient's next mail.
 */
export class FollowUps {
  readonly #timers: Timers;
  readonly #pending = new Set<string>();
  readonly #stopped = new AbortController();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Questions that are to be asked again. */
  get pending(): number {
    return this.#pending.size;
  }

  /** @param ask never rejects */
  add(question: string, ask: () => Promise<unknown>): void {
    if (this.#stopped.signal.aborted || this.#pending.size >= MOST || this.#pending.has(question)) return;
    this.#pending.add(question);
    void this.#run(question, ask);
  }

  /** Asks nothing more. */
  stop(): void {
    this.#stopped.abort("stopped");
  }

  async #run(question: string, ask: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#stopped;
    await this.#timers.sleep(PAUSE_MS, signal);
    if (!signal.aborted) await ask();
    this.#pending.delete(question);
  }
}

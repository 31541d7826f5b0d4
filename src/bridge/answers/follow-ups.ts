import type { AbortableTimers } from "../ports.ts";

/** Time in which an isolate that has just started contacts the Registry, ms. */
const PAUSE_MS = 5_000;
/** Follow-ups at the same time, those that wait included. */
const MAX_PENDING = 64;

/**
 * Asks a question once more, a few seconds after its answer. One follow-up per question, and a bounded number of them:
 * one that is left out comes with the recipient's next mail.
 */
export class FollowUps {
  readonly #timers: AbortableTimers;
  readonly #pending = new Set<string>();
  readonly #stopped = new AbortController();

  constructor(timers: AbortableTimers) {
    this.#timers = timers;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** @param ask never rejects */
  add(question: string, ask: () => Promise<unknown>): void {
    if (this.#stopped.signal.aborted || this.#pending.size >= MAX_PENDING || this.#pending.has(question))
      return;
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

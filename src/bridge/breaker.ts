import type { BridgePorts } from "./ports.ts";

export type BreakerState = "closed" | "open" | "half-open";

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Longest pause between two tries while it is open, ms. The first one is a tenth of it. */
  readonly longestPause: number;
  /** Told of every change. */
  onChange?(state: BreakerState): void;
}

/**
 * Circuit breaker. While the edge fails, one question at a time goes to it, after a pause that grows; all others
 * fail at once, so that an edge that hangs costs nobody his patience. The one that tries waits out the pause
 * itself: after a recovery the next question is answered, not refused for the sake of a pause.
 */
export class Breaker {
  readonly #ports: BridgePorts;
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #failures = 0;
  #pause: number;
  #retryAt = 0;
  #isTaken = false;

  constructor(ports: BridgePorts, options: BreakerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#pause = options.longestPause / 10;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /**
   * Runs a try where the breaker lets it through.
   * @param attempt true: the edge answered; false: it failed; null: nothing is to be learned from it
   * @returns false where it was not let through
   */
  async run(attempt: () => Promise<boolean | null>): Promise<boolean> {
    if (this.#state === "closed") {
      this.#settle(await attempt());
      return true;
    }
    if (this.#isTaken) return false;
    this.#isTaken = true;
    try {
      const wait = this.#retryAt - this.#ports.clock.now();
      if (wait > 0) await this.#ports.timers.sleep(wait);
      // A question from before it opened may have closed it meanwhile.
      if (this.state === "open") this.#change("half-open");
      this.#settle(await attempt());
    } finally {
      this.#isTaken = false;
    }
    return true;
  }

  #settle(succeeded: boolean | null): void {
    if (succeeded === null) return;
    if (succeeded) {
      this.#failures = 0;
      this.#pause = this.#options.longestPause / 10;
      this.#change("closed");
      return;
    }
    this.#failures++;
    if (this.#state === "closed" && this.#failures < this.#options.failures) return;
    // Failures of questions that were under way when it opened do not lengthen the pause.
    if (this.#state === "open") return;
    if (this.#state === "half-open") this.#pause = Math.min(this.#options.longestPause, 2 * this.#pause);
    this.#retryAt = this.#ports.clock.now() + this.#pause;
    this.#change("open");
  }

  #change(state: BreakerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onChange?.(state);
  }
}

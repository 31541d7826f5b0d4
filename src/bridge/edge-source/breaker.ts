import type { BridgePorts } from "../ports.ts";

export type BreakerState = "closed" | "open" | "half-open";

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Longest pause before a probe, ms. The first pause is a tenth of it. */
  readonly maxPause: number;
  onChange?(state: BreakerState, before: BreakerState): void;
}

/**
 * Circuit breaker. While the edge fails, one question at a time is let through as a probe, after a pause that grows; all
 * others fail at once, so that an edge that hangs delays only one client. The probe itself waits for the end of the
 * pause: after a recovery the next question is answered instead of being refused because of a pause.
 */
export class Breaker {
  readonly #ports: BridgePorts;
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #failures = 0;
  #pause: number;
  #retryAt = 0;
  #isProbing = false;

  constructor(ports: BridgePorts, options: BreakerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#pause = options.maxPause / 10;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /**
   * Runs an attempt if the breaker lets it through.
   * @param attempt true: the edge answered; false: it failed; null: neither is known
   * @returns false if it was not let through
   */
  async run(attempt: () => Promise<boolean | null>): Promise<boolean> {
    if (this.#state === "closed") {
      this.#settle(await attempt());
      return true;
    }
    if (this.#isProbing) return false;
    this.#isProbing = true;
    try {
      const wait = this.#retryAt - this.#ports.clock.now();
      if (wait > 0) await this.#ports.timers.sleep(wait);
      // An attempt from before the breaker opened may have closed it by now.
      if (this.state === "open") this.#change("half-open");
      this.#settle(await attempt());
    } finally {
      this.#isProbing = false;
    }
    return true;
  }

  #settle(succeeded: boolean | null): void {
    if (succeeded === null) return;
    if (succeeded) {
      this.#failures = 0;
      this.#pause = this.#options.maxPause / 10;
      this.#change("closed");
      return;
    }
    this.#failures++;
    if (this.#state === "closed" && this.#failures < this.#options.failures) return;
    // Attempts that were under way when it opened do not lengthen the pause.
    if (this.#state === "open") return;
    if (this.#state === "half-open") this.#pause = Math.min(this.#options.maxPause, 2 * this.#pause);
    this.#retryAt = this.#ports.clock.now() + this.#pause;
    this.#change("open");
  }

  #change(state: BreakerState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    this.#options.onChange?.(state, before);
  }
}

import type { SteadyClock } from "../ports.ts";

/** An edge that knows only an older state for so long is behind: isolates that disagree agree again within a window, ms. */
const LASTING = 120_000;
/** Most domains that are watched; more are not counted. */
const MAX_DOMAINS = 10_000;

/** Since when the edge has known only an older state of a domain than this host. */
interface Lag {
  readonly since: number;
  isTold: boolean;
}

/**
 * Notices an edge that stays behind what this host knows of a domain. That does not end by itself: the Registry was set
 * back in time, or it is another one than before.
 */
export class OlderEdge {
  readonly #clock: SteadyClock;
  readonly #changed: (domain: string, isBehind: boolean) => void;
  readonly #lags = new Map<string, Lag>();

  /** @param changed is told once when the edge stays behind, and once when that is over */
  constructor(clock: SteadyClock, changed: (domain: string, isBehind: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Domains of which the edge has known only an older state for minutes. */
  get domains(): number {
    let count = 0;
    for (const { isTold } of this.#lags.values()) if (isTold) count++;
    return count;
  }

  /** The edge answered a question about a domain. @param isOlder whether it knows only an older state */
  note(domain: string, isOlder: boolean): void {
    const lag = this.#lags.get(domain);
    if (!isOlder) {
      if (lag === undefined) return;
      this.#lags.delete(domain);
      if (lag.isTold) this.#changed(domain, false);
    } else if (lag === undefined) {
      if (this.#lags.size < MAX_DOMAINS) this.#lags.set(domain, { since: this.#clock.now(), isTold: false });
    } else if (!lag.isTold && this.#clock.now() - lag.since >= LASTING) {
      lag.isTold = true;
      this.#changed(domain, true);
    }
  }
}

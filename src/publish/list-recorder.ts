import type { Clock } from "../runtime/ports.ts";
import type { ListStore, ListWriter } from "./list-store.ts";

/** Records the lists of one run in a {@link ListStore}. If the host cannot store them, the publish goes on. */
export class ListRecorder {
  readonly store: ListStore;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #warn: (text: string) => void;
  readonly #writers = new Map<string, ListWriter>();
  #hasWarned = false;

  /**
   * @param url the edge that is published to
   * @param warn called once, if the host cannot store the lists
   */
  constructor(store: ListStore, url: string, clock: Clock, warn: (text: string) => void) {
    this.store = store;
    this.#url = url;
    this.#clock = clock;
    this.#warn = warn;
  }

  /** Starts to record a domain's list. @returns null if the host cannot store it */
  begin(domain: string): ListWriter | null {
    this.#try(() => this.#writers.set(domain, this.store.begin(domain)));
    return this.written(domain);
  }

  /** The list that this run read for a domain, or null if it is not stored. */
  written(domain: string): ListWriter | null {
    return this.#writers.get(domain) ?? null;
  }

  /** The lists of these domains are the heads now. */
  published(generations: Readonly<Record<string, number>>): void {
    for (const [domain, generation] of Object.entries(generations)) {
      this.#try(() => {
        this.#writers.get(domain)?.keep();
        this.#writers.delete(domain);
        this.store.notePublished(domain, { url: this.#url, generation, time: this.#clock.now() });
      });
    }
  }

  /** Discards the lists that were not published. */
  discardRest(): void {
    for (const writer of this.#writers.values()) this.#try(() => writer.discard());
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!this.#hasWarned) this.#warn(`cannot store the list on this host: ${(error as Error).message}`);
      this.#hasWarned = true;
    }
  }
}

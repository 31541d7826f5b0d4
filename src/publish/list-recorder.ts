import type { DomainKey } from "../directory/index.ts";
import type { Clock } from "../runtime/ports.ts";
import type { ListStore, ListWriter, Published } from "./list-store.ts";
import { type DomainPlan, guardShare } from "./plan.ts";
import { countsAfter, countsAt, type LastSources, type SourceCount } from "./source-counts.ts";

/**
 * Records what one run reads and publishes in a {@link ListStore}: the lists, and what each source gave. If the host cannot
 * store it, the publish goes on.
 */
export class ListRecorder {
  readonly #store: ListStore;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #warn: (text: string) => void;
  readonly #keepsNames: boolean;
  readonly #writers = new Map<string, ListWriter>();
  /** By domain: what its sources gave, and the guard's share. */
  readonly #read = new Map<string, { readonly counts: readonly SourceCount[]; readonly share: number }>();
  #hasWarned = false;

  /**
   * @param url the edge that is published to
   * @param warn called once, if the host cannot store the lists
   * @param options `keepsNames`: whether it stores the names of lists
   */
  constructor(
    store: ListStore,
    url: string,
    clock: Clock,
    warn: (text: string) => void,
    { keepsNames = true }: { readonly keepsNames?: boolean } = {},
  ) {
    this.#store = store;
    this.#url = url;
    this.#clock = clock;
    this.#warn = warn;
    this.#keepsNames = keepsNames;
  }

  /** Starts to record a domain's list. @returns null if the host does not store it */
  begin(domain: string): ListWriter | null {
    if (this.#keepsNames) this.#try(() => this.#writers.set(domain, this.#store.begin(domain)));
    return this.written(domain);
  }

  /** The list that this run read for a domain, or null if it is not stored. */
  written(domain: string): ListWriter | null {
    return this.#writers.get(domain) ?? null;
  }

  /** Names with these tails in the list that was published last. @see ListStore.namesOf */
  async namesOf(
    domain: string,
    key: DomainKey,
    tails: ReadonlyMap<number, unknown>,
    progress?: (done: number) => void,
  ): Promise<ReadonlyMap<number, string>> {
    return this.#keepsNames ? this.#store.namesOf(domain, key, tails, progress) : new Map();
  }

  /** What the sources of a domain gave when it was published last; null if this host does not know. */
  last(domain: string): LastSources | null {
    const published = this.#store.published(domain);
    if (published?.sources === undefined) return null;
    const { url, generation, sources } = published;
    const counts = countsAt(sources, this.#clock.now());
    return { counts, generation: url === this.#url ? generation : null };
  }

  /** Notes what the sources gave for a plan, to be stored when it is published. */
  read({ domain, sources, base, resultingPolicy }: DomainPlan): void {
    if (sources === undefined) return;
    this.#read.set(domain, { counts: sources.counts, share: guardShare(base, resultingPolicy) });
  }

  /** The lists of these domains are the heads now. */
  published(generations: Readonly<Record<string, number>>): void {
    for (const [domain, generation] of Object.entries(generations)) {
      this.#try(() => {
        this.#writers.get(domain)?.keep();
        this.#writers.delete(domain);
        this.#note(domain, generation);
      });
    }
  }

  /** Discards the lists that were not published. */
  discardRest(): void {
    for (const writer of this.#writers.values()) this.#try(() => writer.discard());
  }

  #note(domain: string, generation: number): void {
    const now = this.#clock.now();
    const before = this.#store.published(domain)?.sources;
    const read = this.#read.get(domain);
    // A list from elsewhere says nothing about the sources.
    const sources =
      read === undefined ? before : countsAfter(countsAt(before ?? {}, now), read.counts, read.share, now);
    if (!this.#keepsNames && sources === undefined) return;
    const published: Published = { url: this.#url, generation, time: now };
    this.#store.notePublished(domain, sources === undefined ? published : { ...published, sources });
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

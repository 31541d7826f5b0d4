/** A client of the benchmark's KV, rig/kv-worker.js. */

/** Numbers by the first part of the key: `domain`, `shard`, `roster`, `mailbox`. */
export type ByKind = Readonly<Record<string, number>>;

/** What was asked of KV since the last reset, and what it holds. A bulk read counts each of its keys. */
export interface KvCounts {
  readonly reads: ByKind;
  /** Reads that are over; with a delay, those that a request may have waited for. */
  readonly answered: ByKind;
  readonly writes: ByKind;
  readonly deletes: ByKind;
  readonly keys: ByKind;
  /** Of the values. */
  readonly bytes: ByKind;
}

export class Kv {
  readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  counts = async (): Promise<KvCounts> => (await (await this.#ask("counts")).json()) as KvCounts;

  /** Counts start at zero again; values stay. */
  reset = (): Promise<unknown> => this.#ask("reset");

  /** From now on each read takes this long. */
  delay = (ms: number): Promise<unknown> => this.#ask(`delay?ms=${ms}`);

  /** Puts a key for each of the names user0, user1, ... of a domain. */
  fill = (count: number, domain: string): Promise<unknown> =>
    this.#ask(`fill?count=${count}&domain=${domain}`);

  async #ask(what: string): Promise<Response> {
    const response = await fetch(`${this.origin}/bench/${what}`);
    if (!response.ok) throw new Error(`the benchmark's KV answers ${response.status} to ${what}`);
    return response;
  }
}

export const total = (byKind: ByKind): number => Object.values(byKind).reduce((sum, count) => sum + count, 0);

/** As figures behind a measurement: `reads of shard`. */
export const figures = (what: string, byKind: ByKind): Record<string, number> =>
  Object.fromEntries(Object.entries(byKind).map(([kind, count]) => [`${what} of ${kind}`, count]));

import type { Count, Counted } from "../api/index.ts";
import type { Clock, Timers } from "../runtime/ports.ts";
import type { RegistryStorage } from "./ports.ts";
import { replace } from "./rows.ts";
import { schemaFault } from "./schema.ts";

const BUCKET = 600_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Minimum time between two rows: the free plan has 100,000 a day. */
const PAUSE = 60_000;
/** Sums in one row; past this, domains are counted together. */
const MAX_KEYS = 2_000;

type Sums = Map<string, number>;

/**
 * Adds up what isolates counted, in one packed row for each ten minutes of the last day. Counts are the only thing that a
 * Registry holds in a field: an object that is replaced loses a minute of them. Counting must not delay or fail a
 * question, so the row is written later.
 */
export class Counters {
  readonly #storage: RegistryStorage;
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** Counted since the last row, by bucket. */
  readonly #unwritten = new Map<number, Sums>();
  #isWaiting = false;

  constructor(storage: RegistryStorage, ports: { readonly clock: Clock; readonly timers: Timers }) {
    this.#storage = storage;
    this.#clock = ports.clock;
    this.#timers = ports.timers;
  }

  /** Adds up; never throws, and never waits. */
  add(counts: readonly Count[]): void {
    try {
      this.#add(counts);
    } catch {
      // Counts in another release's format are dropped.
    }
  }

  #add(counts: readonly Count[]): void {
    const bucket = Math.floor(this.#clock.now() / BUCKET);
    const sums = this.#unwritten.get(bucket) ?? new Map<string, number>();
    this.#unwritten.set(bucket, sums);
    for (const count of counts) if (Number.isSafeInteger(count[3])) addTo(sums, keyOf(count), count[3]);
    this.#writeLater();
  }

  /** Counts of the last hour and of the last day. */
  read(): readonly Counted[] {
    const now = this.#clock.now();
    const sums = new Map<string, [hour: number, day: number]>();
    const take = (bucket: number, counts: Iterable<readonly [string, number]>): void => {
      const isRecent = (bucket + 1) * BUCKET > now - HOUR;
      for (const [key, n] of counts) {
        const [hour, day] = sums.get(key) ?? [0, 0];
        sums.set(key, [hour + (isRecent ? n : 0), day + n]);
      }
    };
    const first = Math.floor((now - DAY) / BUCKET);
    for (const row of this.#storage.sql("SELECT bucket, packed FROM counters WHERE bucket > ?", first)) {
      take(row.bucket as number, unpack(row.packed as string));
    }
    for (const [bucket, counts] of this.#unwritten) take(bucket, counts);
    return [...sums].map(([key, [hour, day]]) => {
      const [domain = "", mode = "", word = ""] = key.split(" ");
      return [domain, mode, word, hour, day];
    });
  }

  #writeLater(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const written = this.#timers.sleep(PAUSE).then(() => {
      this.#isWaiting = false;
      this.#write();
      if (this.#unwritten.size > 0) this.#writeLater();
    });
    // Counts that cannot be written are lost.
    written.catch(() => undefined);
  }

  /** Writes the row of the oldest bucket. */
  #write(): void {
    const [first] = this.#unwritten;
    if (first === undefined) return;
    const [bucket, counts] = first;
    this.#unwritten.delete(bucket);
    if (schemaFault(this.#storage) !== null) return;
    const row = this.#storage.sql("SELECT packed FROM counters WHERE bucket = ?", bucket)[0];
    const sums: Sums = new Map(row === undefined ? [] : unpack(row.packed as string));
    for (const [key, n] of counts) addTo(sums, key, n);
    replace(this.#storage, "counters", { bucket, packed: JSON.stringify([...sums]) });
    if (row === undefined) {
      const old = Math.floor((this.#clock.now() - DAY) / BUCKET);
      this.#storage.sql("DELETE FROM counters WHERE bucket < ?", old);
    }
  }
}

/** Neither A-labels nor our words contain a space. */
const keyOf = ([domain, mode, word]: Count): string => `${domain} ${mode} ${word}`;

function addTo(sums: Sums, key: string, n: number): void {
  const isNew = !sums.has(key) && sums.size >= MAX_KEYS;
  const name = isNew ? key.slice(key.indexOf(" ")) : key;
  sums.set(name, (sums.get(name) ?? 0) + n);
}

const unpack = (packed: string): [string, number][] => JSON.parse(packed) as [string, number][];

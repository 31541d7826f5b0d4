import type { Asked, Count, Counted } from "../../api/index.ts";
import {
  estimate,
  fromBase64Url,
  mergePackedSketch,
  mergeSketch,
  newSketch,
  packSketch,
  type Sketch,
  toBase64Url,
} from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { Clock, Timers } from "../../runtime/ports.ts";
import { type AskedLeavers, LeaverCounts } from "../names/leaver-counts.ts";
import type { RegistryPorts, RegistryStorage } from "../ports.ts";
import { replace } from "../storage/rows.ts";
import { schemaFault } from "../storage/schema.ts";

const BUCKET = 600_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Minimum time between two rows: the free plan has 100,000 a day. */
const PAUSE = 60_000;
/** Sums in one row; past this, domains are counted together. */
const MAX_KEYS = 2_000;
/**
 * Sketches in one row and of a day, of 700 characters at most. Past this the names of other domains are not counted, and that
 * there were none is not known.
 */
export const MAX_SKETCHES = 200;

type Sums = Map<string, number>;
type Sketches = Map<string, Sketch>;

/** What was counted in ten minutes. */
interface Bucket {
  readonly sums: Sums;
  /** Names that enforce mode would refuse, by domain. */
  readonly refused: Sketches;
}

/**
 * Adds up what isolates counted, in one packed row for each ten minutes of the last day. Counts are the only thing that a
 * Registry holds in a field: an object that is replaced loses a minute of them. Counting must not delay or fail a
 * question, so the row is written later.
 */
export class Counters {
  readonly #storage: RegistryStorage;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #ports: Pick<RegistryPorts, "log">;
  readonly #judge: (domain: string, leavers: AskedLeavers) => void;
  /** Counted since the last row, by bucket. */
  readonly #unwritten = new Map<number, Bucket>();
  readonly #leavers: LeaverCounts;
  #isWaiting = false;

  /** @param judge gets the leavers that were asked for, once a row that counts them is written */
  constructor(
    storage: RegistryStorage,
    ports: Pick<RegistryPorts, "clock" | "timers" | "log">,
    judge: (domain: string, leavers: AskedLeavers) => void = () => undefined,
  ) {
    this.#storage = storage;
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#ports = ports;
    this.#judge = judge;
    this.#leavers = new LeaverCounts(storage, ports.clock);
  }

  /** Adds up; never throws, and never waits. */
  add(counts: readonly Count[], asked: readonly Asked[] = []): void {
    try {
      this.#add(counts, asked);
    } catch {
      // Counts in another release's format are dropped.
    }
  }

  #add(counts: readonly Count[], asked: readonly Asked[]): void {
    const bucket = Math.floor(this.#clock.now() / BUCKET);
    const into = this.#unwritten.get(bucket) ?? newBucket();
    this.#unwritten.set(bucket, into);
    this.#writeLater();
    for (const count of counts) if (Number.isSafeInteger(count[3])) addTo(into.sums, keyOf(count), count[3]);
    const left = asked.filter(([, group]) => group > 0);
    if (left.length > 0) this.#leavers.add(left);
    for (const [domain, group, text] of asked) if (group === 0) merge(into.refused, domain, text);
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
    for (const row of this.#rows("packed")) {
      const bucket = row.bucket as number;
      take(bucket, this.#unlessDamaged(bucket, () => unpack(row.packed)) ?? []);
    }
    for (const [bucket, counts] of this.#unwritten) take(bucket, counts.sums);
    return [...sums].map(([key, [hour, day]]) => {
      const [domain = "", mode = "", word = ""] = key.split(" ");
      return [domain, mode, word, hour, day];
    });
  }

  /** About how many distinct names of each domain enforce mode would have refused in the last day. */
  refused(): ReadonlyMap<string, number> {
    const day: Sketches = new Map();
    for (const row of this.#rows("refused")) {
      this.#unlessDamaged(row.bucket as number, () => {
        for (const [domain, text] of sketchesIn(row.refused)) merge(day, domain, text);
      });
    }
    for (const { refused } of this.#unwritten.values()) {
      for (const [domain, sketch] of refused) add(day, domain, (into) => mergeSketch(into, sketch));
    }
    return new Map([...day].map(([domain, sketch]) => [domain, estimate(sketch)]));
  }

  /** What `read` makes of a row, null if that is damaged. It is discarded: it would fail every reading of its day. */
  #unlessDamaged<T>(bucket: number, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      this.#storage.sql("DELETE FROM counters WHERE bucket = ?", bucket);
      this.#discarded(`the counts of the ten minutes from ${new Date(bucket * BUCKET).toISOString()}`, error);
      return null;
    }
  }

  #discarded(what: string, error: unknown): void {
    const detail = `${what} are damaged, and discarded: ${messageOf(error)}`;
    this.#ports.log?.({ event: "fault", kind: "damaged_counters", domain: null, detail, count: 1 });
    this.add([["", "fault", "damaged_counters", 1]]);
  }

  #rows(column: string) {
    const first = Math.floor((this.#clock.now() - DAY) / BUCKET);
    return this.#storage.sql(
      `SELECT bucket, ${column} FROM counters WHERE bucket > ? AND ${column} IS NOT NULL`,
      first,
    );
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
    const row = this.#storage.sql("SELECT packed, refused FROM counters WHERE bucket = ?", bucket)[0];
    const sums: Sums = new Map();
    if (row !== undefined) {
      this.#unlessDamaged(bucket, () => {
        for (const [key, n] of unpack(row.packed)) sums.set(key, n);
        for (const [domain, text] of sketchesIn(row.refused)) merge(counts.refused, domain, text);
      });
    }
    for (const [key, n] of counts.sums) addTo(sums, key, n);
    replace(this.#storage, "counters", {
      bucket,
      packed: JSON.stringify([...sums]),
      refused: textOf(counts.refused),
    });
    if (row === undefined) {
      const old = Math.floor((this.#clock.now() - DAY) / BUCKET);
      this.#storage.sql("DELETE FROM counters WHERE bucket < ?", old);
    }
    this.#judgeLeavers();
  }

  #judgeLeavers(): void {
    if (this.#leavers.isEmpty) return;
    const asked = this.#leavers.write((error) =>
      this.#discarded("names of a minute that left and were asked for", error),
    );
    for (const [domain, leavers] of asked) this.#judge(domain, leavers);
  }
}

const newBucket = (): Bucket => ({ sums: new Map(), refused: new Map() });

/** Neither A-labels nor our words contain a space. */
const keyOf = ([domain, mode, word]: Count): string => `${domain} ${mode} ${word}`;

function addTo(sums: Sums, key: string, n: number): void {
  const isNew = !sums.has(key) && sums.size >= MAX_KEYS;
  const name = isNew ? key.slice(key.indexOf(" ")) : key;
  sums.set(name, (sums.get(name) ?? 0) + n);
}

/** Adds a packed sketch to that of a key, if there is room. @throws DirectoryError if it is none */
const merge = (sketches: Sketches, key: string, text: string): void =>
  add(sketches, key, (into) => mergePackedSketch(into, fromBase64Url(text)));

function add(sketches: Sketches, key: string, names: (into: Sketch) => void): void {
  const sketch = sketches.get(key) ?? newSketch();
  names(sketch);
  if (sketches.size < MAX_SKETCHES) sketches.set(key, sketch);
}

const textOf = (sketches: Sketches): string | null =>
  sketches.size === 0
    ? null
    : JSON.stringify([...sketches].map(([key, sketch]) => [key, toBase64Url(packSketch(sketch))]));

const sketchesIn = (text: unknown): [string, string][] =>
  text === null || text === undefined ? [] : (JSON.parse(text as string) as [string, string][]);

/** @throws if it is not what was packed */
function unpack(packed: unknown): [string, number][] {
  const sums = JSON.parse(packed as string) as [string, number][];
  for (const [key, n] of sums) {
    if (typeof key !== "string" || !Number.isSafeInteger(n)) throw new Error("they are no counts");
  }
  return sums;
}

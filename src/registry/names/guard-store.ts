import {
  decodeLists,
  encodeLists,
  GUARD_SPAN,
  type GuardedList,
  type SpanBuckets,
} from "../../directory/index.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import { bytesOf, replace } from "../storage/rows.ts";

/** A bucket that was written, and is not stored yet. */
interface Written {
  readonly bytes: Uint8Array | null;
  readonly spans: number;
  readonly newest: number;
}

/**
 * One domain's ledger in the tables of its Registry. What is written shows at once, and is stored by {@link save} alone: a
 * commit is judged before its transaction, and a plan stores nothing.
 */
export class GuardStore implements SpanBuckets {
  readonly domain: string;
  readonly #storage: RegistryStorage;
  readonly #written = new Map<number, Written>();
  /** Whether nothing that is stored counts any more. */
  #isCleared = false;
  #bits: number;

  constructor(storage: RegistryStorage, domain: string) {
    this.#storage = storage;
    this.domain = domain;
    this.#bits = (this.#row()?.bits ?? 0) as number;
  }

  get bits(): number {
    return this.#bits;
  }

  /** The lists of a ledger that was saved since `time`. @throws DirectoryError `damaged` */
  lists(time: number): GuardedList[] {
    const row = this.#isCleared ? undefined : this.#row();
    if (row === undefined || (row.updated as number) < time) return [];
    return decodeLists(bytesOf(row.lists));
  }

  /** Stores what was written. Call it inside a transaction; nobody else may have stored anything since this began to read. */
  save(lists: readonly GuardedList[], now: number): void {
    if (this.#isCleared) deleteLedger(this.#storage, this.domain);
    for (const [bucket, { bytes, spans, newest }] of this.#written) {
      if (bytes !== null)
        replace(this.#storage, "guard_spans", { domain: this.domain, bucket, spans, newest, bytes });
      else this.#storage.sql("DELETE FROM guard_spans WHERE domain = ? AND bucket = ?", this.domain, bucket);
    }
    replace(this.#storage, "guard_ledgers", {
      domain: this.domain,
      updated: now,
      bits: this.#bits,
      lists: encodeLists(lists),
    });
    this.#storage.sql(
      "DELETE FROM guard_spans WHERE domain = ? AND newest <= ?",
      this.domain,
      lists[0]?.generation ?? 0,
    );
    this.#written.clear();
    this.#isCleared = false;
  }

  clear(): void {
    this.#bits = 0;
    this.#written.clear();
    this.#isCleared = true;
  }

  count(): number {
    const stored = this.#isCleared
      ? []
      : this.#storage.sql("SELECT bucket, spans FROM guard_spans WHERE domain = ?", this.domain);
    const all = new Map(stored.map((row) => [row.bucket as number, row.spans as number]));
    for (const [bucket, { spans }] of this.#written) all.set(bucket, spans);
    return [...all.values()].reduce((sum, spans) => sum + spans, 0);
  }

  read(bucket: number): Uint8Array | null {
    const written = this.#written.get(bucket);
    if (written !== undefined) return written.bytes;
    if (this.#isCleared) return null;
    const row = this.#storage.sql(
      "SELECT bytes FROM guard_spans WHERE domain = ? AND bucket = ?",
      this.domain,
      bucket,
    )[0];
    return row === undefined ? null : bytesOf(row.bytes);
  }

  write(bucket: number, bytes: Uint8Array | null, spans: number, newest: number): void {
    this.#written.set(bucket, { bytes, spans, newest });
  }

  split(bits: number): void {
    this.#bits = bits;
  }

  #row(): SqlRow | undefined {
    return this.#storage.sql(
      "SELECT updated, bits, lists FROM guard_ledgers WHERE domain = ?",
      this.domain,
    )[0];
  }
}

/** Deletes the ledger of a domain: it is computed again from the generations. */
export function deleteLedger(storage: RegistryStorage, domain: string): void {
  storage.sql("DELETE FROM guard_ledgers WHERE domain = ?", domain);
  storage.sql("DELETE FROM guard_spans WHERE domain = ?", domain);
}

/**
 * Deletes ledgers without a commit within a day: the head's generation says all that they do.
 * @param most rows of one run
 * @returns whether there may be more
 */
export function pruneLedgers(storage: RegistryStorage, now: number, most: number): boolean {
  const idle = storage.sql(
    "SELECT domain FROM guard_ledgers WHERE updated < ? LIMIT ?",
    now - GUARD_SPAN,
    most,
  );
  for (const { domain } of idle) deleteLedger(storage, domain as string);
  return idle.length === most;
}

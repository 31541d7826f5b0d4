import { decodeLists, encodeLists, type GuardedList, type SpanBuckets } from "../directory/index.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";
import { replace } from "./rows.ts";
import { bytesOf } from "./summaries.ts";

/** What a trial has written. */
interface Trial {
  readonly buckets: Map<number, Uint8Array | null>;
  /** Whether nothing that is stored counts any more. */
  isCleared: boolean;
}

/** One domain's ledger in the tables of its Registry. */
export class GuardStore implements SpanBuckets {
  readonly domain: string;
  readonly #storage: RegistryStorage;
  /** Null: what is written is stored. */
  readonly #trial: Trial | null;
  #bits: number;

  /** @param isTrial whether it keeps nothing of what is written, but shows it until it is dropped */
  constructor(storage: RegistryStorage, domain: string, isTrial = false) {
    this.#storage = storage;
    this.domain = domain;
    this.#trial = isTrial ? { buckets: new Map(), isCleared: false } : null;
    this.#bits = (this.#row()?.bits ?? 0) as number;
  }

  get bits(): number {
    return this.#bits;
  }

  /** The lists of a ledger that was saved since `time`. @throws DirectoryError `damaged` */
  lists(time: number): GuardedList[] {
    const row = this.#trial?.isCleared ? undefined : this.#row();
    if (row === undefined || (row.updated as number) < time) return [];
    return decodeLists(bytesOf(row.lists));
  }

  save(lists: readonly GuardedList[], now: number): void {
    if (this.#trial !== null) return;
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
  }

  clear(): void {
    this.#bits = 0;
    if (this.#trial !== null) {
      this.#trial.buckets.clear();
      this.#trial.isCleared = true;
      return;
    }
    this.#storage.sql("DELETE FROM guard_ledgers WHERE domain = ?", this.domain);
    this.#storage.sql("DELETE FROM guard_spans WHERE domain = ?", this.domain);
  }

  count(): number {
    if (this.#trial?.isCleared) return 0;
    const row = this.#storage.sql(
      "SELECT coalesce(sum(spans), 0) AS n FROM guard_spans WHERE domain = ?",
      this.domain,
    )[0];
    return row?.n as number;
  }

  read(bucket: number): Uint8Array | null {
    const written = this.#trial?.buckets.get(bucket);
    if (written !== undefined) return written;
    if (this.#trial?.isCleared) return null;
    const row = this.#storage.sql(
      "SELECT bytes FROM guard_spans WHERE domain = ? AND bucket = ?",
      this.domain,
      bucket,
    )[0];
    return row === undefined ? null : bytesOf(row.bytes);
  }

  write(bucket: number, bytes: Uint8Array | null, spans: number, newest: number): void {
    if (this.#trial !== null) {
      this.#trial.buckets.set(bucket, bytes);
      return;
    }
    if (bytes === null) {
      this.#storage.sql("DELETE FROM guard_spans WHERE domain = ? AND bucket = ?", this.domain, bucket);
      return;
    }
    replace(this.#storage, "guard_spans", { domain: this.domain, bucket, spans, newest, bytes });
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

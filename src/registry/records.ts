import type { GenerationRecord } from "../api/index.ts";
import {
  acceptedCount,
  type Counts,
  countStates,
  decodeShard,
  ENTRY_STATES,
  type ManifestRecord,
  NO_COUNTS,
  type Shard,
} from "../directory/index.ts";
import { clearDamage, isMarkedDamaged } from "./damages.ts";
import { Damage } from "./failure.ts";
import { getMeta } from "./meta.ts";
import type { RegistryStorage } from "./ports.ts";
import { UPLOAD_LIFE, uploadsAreNamed } from "./room.ts";
import { insert, replace } from "./rows.ts";
import { keepSummary } from "./summaries.ts";
import { blobsOf, type Proof, VerifiedReads } from "./verified-reads.ts";

export { blobsOf, type Head, liveManifest, lostHead, type Proof } from "./verified-reads.ts";

/** Who made a generation, and how. */
export interface CommitMeta {
  readonly action: GenerationRecord["action"];
  readonly by: string;
  readonly forced: boolean;
  readonly note: string | null;
}

/** What a table of shards adds up to. */
export interface ShardSum {
  readonly counts: Counts;
  /** Shards that were not put. */
  readonly missing: readonly string[];
  /** A shard that was packed for another place in the table. */
  readonly misfit: string | null;
  /** Shards that the head does not name. */
  readonly unnamed: readonly string[];
}

/**
 * The time at which a blob of the head expires: never. It takes as many octets in a row as any time, and so do a number and its
 * negative, so that SQLite changes a row of a large blob in place. A row that changes its length is written as a whole.
 */
export const NEVER = 2 ** 47 - 1;
/**
 * `kv_number` of a head of which KV lacks a part that counted as copied: a copy that is under way does not write it. 0: all of it
 * is to be written.
 */
export const PART_LACKS = -1;

/** Until when a blob is kept, Unix milliseconds, and since which generation it is named; negative: the head does not name it. */
interface BlobLife {
  readonly expires: number;
  readonly named_from: number;
}

/** The Registry's tables of generations, heads and blobs. */
export class Records extends VerifiedReads {
  readonly #storage: RegistryStorage;

  constructor(storage: RegistryStorage, proof: Proof) {
    super(storage, proof);
    this.#storage = storage;
  }

  /** Makes a generation the head, keeps its blobs, and notes those that it no longer names. */
  putHead(manifest: ManifestRecord, meta: CommitMeta, now: number): void {
    const { domain } = manifest;
    const before = new Set(this.namedByHead(domain));
    clearDamage(this.#storage, domain);
    this.#storage.sql(
      "UPDATE generations SET superseded = ? WHERE domain = ? AND superseded IS NULL",
      now,
      domain,
    );
    insert(this.#storage, "generations", {
      domain,
      number: manifest.generation,
      time: manifest.time,
      action: meta.action,
      made_by: meta.by,
      forced: meta.forced ? 1 : 0,
      note: meta.note,
      accepted: acceptedCount(manifest.counts),
      manifest: manifest.bytes,
    });
    keepSummary(this.#storage, manifest.generation, manifest);
    const { generation: number, deletedUntil: deleted } = manifest;
    const alias = deleted === null ? manifest.policy.alias : null;
    insert(
      this.#storage,
      "heads",
      { domain, number, deleted, alias },
      "ON CONFLICT DO UPDATE SET number = excluded.number, deleted = excluded.deleted, alias = excluded.alias",
    );
    if (meta.action !== "patch") {
      // It is copied at once, even if single changes before it wait (kv-budget.ts). Only a failure has its pause.
      this.#storage.sql("UPDATE heads SET kv_next = NULL WHERE domain = ? AND kv_failures IS NULL", domain);
    }
    const after = new Set(blobsOf(manifest));
    this.#leaveBlobs(
      domain,
      [...before].filter((id) => !after.has(id)),
      number,
      now,
    );
    this.#nameBlobs(
      domain,
      [...after].filter((id) => !before.has(id)),
      number,
    );
  }

  /**
   * The head no longer names these blobs. Their rows say so later ({@link settleLeft}): SQLite builds a row of a large blob as a
   * whole, and a thousand single changes replace hundreds in one transaction.
   */
  #leaveBlobs(domain: string, ids: readonly string[], number: number, now: number): void {
    if (ids.length === 0) return;
    const list = JSON.stringify(ids);
    this.#storage.sql(
      "INSERT OR REPLACE INTO left_blobs (domain, id, number, since) SELECT ?, value, ?, ? FROM json_each(?)",
      domain,
      number,
      now,
      list,
    );
    this.#storage.sql(
      "INSERT OR REPLACE INTO kv_replaced (domain, id, since) SELECT ?, value, ? FROM json_each(?)",
      domain,
      now,
      list,
    );
  }

  /** The head names these blobs from now on. */
  #nameBlobs(domain: string, ids: readonly string[], number: number): void {
    if (ids.length === 0) return;
    const list = JSON.stringify(ids);
    const left = this.#storage.sql(
      "DELETE FROM left_blobs WHERE domain = ? AND id IN (SELECT value FROM json_each(?)) RETURNING id",
      domain,
      list,
    );
    // The rows of these still say that the head names them.
    const isNamed = new Set(left.map(({ id }) => id));
    this.#storage.sql(
      `UPDATE blobs SET expires = ?, named_from = iif(named_from > 0, named_from, ?)
         WHERE domain = ? AND id IN (SELECT value FROM json_each(?))`,
      NEVER,
      number,
      domain,
      JSON.stringify(ids.filter((id) => !isNamed.has(id))),
    );
    this.#storage.sql(
      "DELETE FROM kv_replaced WHERE domain = ? AND id IN (SELECT value FROM json_each(?))",
      domain,
      list,
    );
    uploadsAreNamed(this.#storage, domain, list);
  }

  /** Blobs that the head names. If it is damaged, all whose rows say so. */
  namedByHead(domain: string): string[] {
    try {
      const head = this.head(domain);
      return head === null ? [] : blobsOf(head.manifest);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      const rows = this.#storage.sql(
        `SELECT b.id FROM blobs b WHERE b.domain = ? AND b.expires = ? AND NOT EXISTS
           (SELECT 1 FROM left_blobs l WHERE l.domain = b.domain AND l.id = b.id)`,
        domain,
        NEVER,
      );
      return rows.map(({ id }) => id as string);
    }
  }

  /** Domains that are aliases of `target`. */
  aliasesOf(target: string): string[] {
    return this.#storage
      .sql("SELECT domain FROM heads WHERE alias = ?", target)
      .map((row) => row.domain as string);
  }

  /** Keeps an uploaded shard for a day; a commit that names it keeps it longer. */
  putShard(domain: string, id: string, bytes: Uint8Array, now: number): void {
    const shard = decodeShard(bytes);
    this.#replaceDamaged(domain, id, bytes, shard);
    this.#putBlob(domain, id, bytes, shard, countStates(shard), this.#uploadedAt(now));
  }

  /** Puts the bytes of a shard in place of others that were found damaged. KV never got those. */
  #replaceDamaged(domain: string, id: string, bytes: Uint8Array, { bits, index }: Shard): void {
    const row = this.#storage.sql("SELECT place FROM blobs WHERE domain = ? AND id = ?", domain, id)[0];
    if (!isMarkedDamaged(row?.place)) return;
    this.#storage.sql(
      "UPDATE blobs SET bytes = ?, bits = ?, place = ? WHERE domain = ? AND id = ?",
      bytes,
      bits,
      index,
      domain,
      id,
    );
  }

  /** The head names these blobs, whose rows do not say so: they were lost and put again. They are copied to KV again. */
  nameAgain(domain: string, ids: readonly string[], number: number): void {
    this.#nameBlobs(domain, ids, number);
    this.#storage.sql("UPDATE heads SET kv_number = ? WHERE domain = ?", PART_LACKS, domain);
  }

  /**
   * Keeps a shard as the next generation will name it, so that the commit need not change its row. Without that commit it
   * expires as a blob does that the head no longer names.
   */
  putNextShard(domain: string, id: string, bytes: Uint8Array, now: number): void {
    const isKnown =
      this.#storage.sql("SELECT 1 FROM blobs WHERE domain = ? AND id = ?", domain, id).length > 0;
    if (isKnown) {
      this.putShard(domain, id, bytes, now);
      return;
    }
    const shard = decodeShard(bytes);
    const number = this.#nextNumber();
    replace(this.#storage, "left_blobs", { domain, id, number, since: now });
    this.#putBlob(domain, id, bytes, shard, countStates(shard), { expires: NEVER, named_from: number });
  }

  /** Keeps a blob of departures; the commit that made it names it. */
  putDepartures(domain: string, id: string, bytes: Uint8Array, now: number): void {
    this.#putBlob(domain, id, bytes, NO_SHARD, [], this.#uploadedAt(now));
  }

  #putBlob(
    domain: string,
    id: string,
    bytes: Uint8Array,
    shard: Pick<Shard, "bits" | "index">,
    counts: readonly number[],
    life: BlobLife,
  ): void {
    const [active = 0, disabled = 0, full = 0, moved = 0] = counts;
    const { bits, index: place } = shard;
    insert(
      this.#storage,
      "blobs",
      { domain, id, bytes, bits, place, active, disabled, full, moved, ...life },
      "ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires)",
    );
  }

  /** Until a commit names it. The number is as long as the one with which the head will name it. */
  #uploadedAt(now: number): BlobLife {
    return { expires: now + UPLOAD_LIFE, named_from: -this.#nextNumber() };
  }

  #nextNumber(): number {
    return (getMeta(this.#storage, "number") ?? 0) + 1;
  }

  /** Adds up the shards of a table. */
  sum(domain: string, ids: readonly string[], bits: number): ShardSum {
    const counts = { ...NO_COUNTS };
    const missing: string[] = [];
    const unnamed: string[] = [];
    let misfit: string | null = null;
    for (const [index, id] of ids.entries()) {
      const row = this.#storage.sql(
        "SELECT bits, place, active, disabled, full, moved, expires FROM blobs WHERE domain = ? AND id = ?",
        domain,
        id,
      )[0];
      if (row === undefined || isMarkedDamaged(row.place)) missing.push(id);
      else if (row.bits !== bits || row.place !== index) misfit = id;
      else {
        for (const state of ENTRY_STATES) counts[state] += row[state] as number;
        if ((row.expires ?? NEVER) !== NEVER) unnamed.push(id);
      }
    }
    return { counts, missing, misfit, unnamed };
  }
}

/** Place of a blob that is not a shard, so that no table of shards can name it. */
const NO_SHARD = { bits: 0, index: -1 };

import type { GenerationRecord } from "../api/index.ts";
import {
  acceptedCount,
  blobIds,
  type Counts,
  countStates,
  decodeShard,
  ENTRY_STATES,
  type ManifestRecord,
  NO_COUNTS,
  readManifest,
  type Shard,
} from "../directory/index.ts";
import { getMeta } from "./meta.ts";
import type { RegistryStorage } from "./ports.ts";
import { insert, replace } from "./rows.ts";
import { bytesOf, keepSummary } from "./summaries.ts";

/** A domain's head. Its manifest is not proved: it may be of another key. */
export interface Head {
  readonly number: number;
  readonly manifest: ManifestRecord;
}

/** The manifest of a domain that is served, null if the head is a tombstone or there is none. */
export const liveManifest = (head: Head | null): ManifestRecord | null =>
  head?.manifest.deletedUntil === null ? head.manifest : null;

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
}

/**
 * The time at which a blob of the head expires: never. It takes as many octets in a row as any time, and so do a number and its
 * negative, so that SQLite changes a row of a large blob in place. A row that changes its length is written as a whole.
 * Null, in rows of earlier releases, means never, too.
 */
export const NEVER = 2 ** 47 - 1;

/** How long an uploaded shard is kept that no commit names. */
const UPLOAD_LIFE = 86_400_000;

/** Until when a blob is kept, Unix milliseconds, and since which generation it is named; negative: the head does not name it. */
interface BlobLife {
  readonly expires: number;
  readonly named_from: number;
}

/** Generations, heads and blobs in the Registry's tables. Every read goes to storage: a field could be old. */
export class Records {
  readonly #storage: RegistryStorage;

  constructor(storage: RegistryStorage) {
    this.#storage = storage;
  }

  /** Number and manifest bytes of a domain's head. */
  headBytes(domain: string): { number: number; manifest: Uint8Array } | null {
    const row = this.#storage.sql(
      `SELECT h.number, g.manifest FROM heads h LEFT JOIN generations g ON g.domain = h.domain AND g.number = h.number
       WHERE h.domain = ?`,
      domain,
    )[0];
    if (row === undefined) return null;
    const number = row.number as number;
    // Null would say that the domain has no head, and it would be refused as not served.
    if (row.manifest === null) throw new Error(`${domain}: generation ${number} is missing in the Registry`);
    return { number, manifest: bytesOf(row.manifest) };
  }

  head(domain: string): Head | null {
    const head = this.headBytes(domain);
    return head === null ? null : { number: head.number, manifest: readManifest(head.manifest, domain) };
  }

  /** One generation of a domain, null if history no longer has it. */
  generation(domain: string, number: number): Head | null {
    const row = this.#storage.sql(
      "SELECT manifest FROM generations WHERE domain = ? AND number = ?",
      domain,
      number,
    )[0];
    return row === undefined ? null : { number, manifest: readManifest(bytesOf(row.manifest), domain) };
  }

  /** The newest generation of a domain that is not a tombstone. */
  lastList(domain: string): Head | null {
    const row = this.#storage.sql(
      `SELECT number FROM generations WHERE domain = ? AND action != 'delete' ORDER BY number DESC LIMIT 1`,
      domain,
    )[0];
    return row === undefined ? null : this.generation(domain, row.number as number);
  }

  /** Makes a generation the head, keeps its blobs, and notes those that it no longer names. */
  putHead(manifest: ManifestRecord, meta: CommitMeta, now: number): void {
    const { domain } = manifest;
    const head = this.head(domain);
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
    const before = new Set(head === null ? [] : blobsOf(head.manifest));
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
    // The previous release leaves the number as it is when the head no longer names the blob: the span is then longer.
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
  }

  /** Domains that are aliases of `target`. */
  aliasesOf(target: string): string[] {
    return this.#storage
      .sql("SELECT domain FROM heads WHERE alias = ?", target)
      .map((row) => row.domain as string);
  }

  blob(domain: string, id: string): Uint8Array | null {
    const row = this.#storage.sql("SELECT bytes FROM blobs WHERE domain = ? AND id = ?", domain, id)[0];
    return row === undefined ? null : bytesOf(row.bytes);
  }

  /** Keeps an uploaded shard for a day; a commit that names it keeps it longer. */
  putShard(domain: string, id: string, bytes: Uint8Array, now: number): void {
    const shard = decodeShard(bytes);
    this.#putBlob(domain, id, bytes, shard, countStates(shard), this.#uploadedAt(now));
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
    let misfit: string | null = null;
    for (const [index, id] of ids.entries()) {
      const row = this.#storage.sql(
        "SELECT bits, place, active, disabled, full, moved FROM blobs WHERE domain = ? AND id = ?",
        domain,
        id,
      )[0];
      if (row === undefined) missing.push(id);
      else if (row.bits !== bits || row.place !== index) misfit = id;
      else for (const state of ENTRY_STATES) counts[state] += row[state] as number;
    }
    return { counts, missing, misfit };
  }
}

/** Place of a blob that is not a shard, so that no table of shards can name it. */
const NO_SHARD = { bits: 0, index: -1 };

/** Ids of all blobs that a manifest names. */
export const blobsOf = (manifest: ManifestRecord): string[] => [
  ...blobIds(manifest.shards),
  ...blobIds(manifest.departures),
];

/** The bytes of shards and departures: which are there, which the head names, and until when they are kept. */
import {
  type Counts,
  countStates,
  decodeShard,
  ENTRY_STATES,
  NO_COUNTS,
  type Shard,
} from "../../directory/index.ts";
import { areReplaced, areWanted } from "../kv/keys.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta } from "../storage/meta.ts";
import { NEVER } from "../storage/never.ts";
import { insert, replace } from "../storage/rows.ts";
import { UPLOAD_LIFE, uploadsAreNamed } from "./room.ts";

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

/** Until when a blob is kept, Unix milliseconds, and since which generation it is named; negative: the head does not name it. */
interface BlobLife {
  readonly expires: number;
  readonly named_from: number;
}

/** The Registry's blobs. */
export class Blobs {
  readonly #storage: RegistryStorage;

  constructor(storage: RegistryStorage) {
    this.#storage = storage;
  }

  /**
   * The head no longer names these blobs. Their rows say so later (settleLeft in lifetime.ts): SQLite builds a row of a large blob as a
   * whole, and a thousand single changes replace hundreds in one transaction.
   */
  leave(domain: string, ids: readonly string[], number: number, now: number): void {
    if (ids.length === 0) return;
    const list = JSON.stringify(ids);
    this.#storage.sql(
      "INSERT OR REPLACE INTO left_blobs (domain, id, number, since) SELECT ?, value, ?, ? FROM json_each(?)",
      domain,
      number,
      now,
      list,
    );
    areReplaced(this.#storage, domain, list, now);
  }

  /** The head names these blobs from now on. */
  name(domain: string, ids: readonly string[], number: number): void {
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
    areWanted(this.#storage, domain, list);
    uploadsAreNamed(this.#storage, domain, list);
  }

  /** Blobs whose rows say that the head names them. */
  saidToBeNamed(domain: string): string[] {
    const rows = this.#storage.sql(
      `SELECT b.id FROM blobs b WHERE b.domain = ? AND b.expires = ? AND NOT EXISTS
         (SELECT 1 FROM left_blobs l WHERE l.domain = b.domain AND l.id = b.id)`,
      domain,
      NEVER,
    );
    return rows.map(({ id }) => id as string);
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

/** The place of a shard whose bytes are damaged: no table can name it, so that the next publish puts it again. */
const DAMAGED = -2;

/** A shard has to be put again: its bytes are damaged. */
export const markDamaged = (storage: RegistryStorage, domain: string, id: string): void => {
  storage.sql("UPDATE blobs SET place = ? WHERE domain = ? AND id = ?", DAMAGED, domain, id);
};

const isMarkedDamaged = (place: unknown): boolean => place === DAMAGED;

/** Place of a blob that is not a shard, so that no table of shards can name it. */
const NO_SHARD = { bits: 0, index: -1 };

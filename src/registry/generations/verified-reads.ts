/** What the Registry has stored of lists, verified before anything is made from it. */
import type { FaultKind } from "../../api/index.ts";
import {
  DirectoryError,
  type DomainKey,
  equalBytes,
  fromHex,
  type Hashing,
  type ManifestRecord,
  readVerified,
} from "../../directory/index.ts";
import { Damage } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import { bytesOf } from "../storage/rows.ts";

/** A domain's head. Its manifest is what was made, or of another key: then nothing may be made from it. */
export interface Head {
  readonly number: number;
  readonly manifest: ManifestRecord;
}

/** The manifest of a domain that is served, null if the head is a tombstone or there is none. */
export const liveManifest = (head: Head | null): ManifestRecord | null =>
  head?.manifest.deletedUntil === null ? head.manifest : null;

/** What shows that stored bytes are what they were. */
export interface Proof {
  readonly hashing: Hashing;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
}

/** Bytes of manifests that are remembered as verified. */
const REMEMBERED = 4 * 1024 * 1024;

/** What helps against a damaged or lost head. */
const RESTORE =
  "restore an older list with `rollcall rollback`, then publish the newest (docs/restoring.md#a-damaged-list)";
/** What helps against a damaged or lost part of a list. */
const PUT_AGAIN = "publish the list with --force, or restore an older one (docs/restoring.md#a-damaged-list)";

/** A domain that has a history and no head, not even a tombstone. */
export const lostHead = (domain: string): Damage =>
  new Damage("lost_head", domain, `the Registry has its history and not its head: ${RESTORE}`);

/**
 * Reads generations, heads and blobs. Every read goes to storage: a field could be old. What others are made from is verified
 * (law 5): manifests by their MAC, blobs by their id. What does not fit is {@link Damage}.
 */
export class VerifiedReads {
  readonly #storage: RegistryStorage;
  readonly #proof: Proof;
  /** Verified before, by domain and number: the same bytes need not be verified again. */
  readonly #verified = new Map<string, ManifestRecord>();
  #verifiedBytes = 0;
  readonly #verifiedBlobs = new Set<string>();

  constructor(storage: RegistryStorage, proof: Proof) {
    this.#storage = storage;
    this.#proof = proof;
  }

  /**
   * Number and manifest bytes of a domain's head, as they are stored: the reader verifies them.
   * @throws Damage if they are lost: null would say that the domain is not served
   */
  headBytes(domain: string): { number: number; manifest: Uint8Array } | null {
    const row = this.#storage.sql(
      `SELECT h.number, g.manifest FROM heads h LEFT JOIN generations g ON g.domain = h.domain AND g.number = h.number
       WHERE h.domain = ?`,
      domain,
    )[0];
    if (row === undefined) {
      if (this.#newestNumber(domain) === null) return null;
      throw lostHead(domain);
    }
    const number = row.number as number;
    if (row.manifest === null) {
      const what = `generation ${number}, its newest, is missing in the Registry: ${RESTORE}`;
      throw new Damage("lost_head", domain, what);
    }
    return { number, manifest: bytesOf(row.manifest) };
  }

  /** @throws Damage */
  head(domain: string): Head | null {
    const head = this.headBytes(domain);
    if (head === null) return null;
    return { number: head.number, manifest: this.#verify(domain, head.number, head.manifest, true) };
  }

  /** The same, null if it is damaged: for what replaces it, and takes nothing from it. */
  soundHead(domain: string): Head | null {
    return unlessDamaged(() => this.head(domain));
  }

  /** Where a domain stands, whatever its head says; null if it never had one. */
  standing(domain: string): { readonly number: number; readonly isServed: boolean } | null {
    const row = this.#storage.sql("SELECT number, deleted FROM heads WHERE domain = ?", domain)[0];
    const newest = this.#newestNumber(domain);
    if (row === undefined && newest === null) return null;
    // A head that was lost has a number that the history does not show.
    return { number: newest ?? (row?.number as number), isServed: (row?.deleted ?? null) === null };
  }

  #newestNumber(domain: string): number | null {
    const row = this.#storage.sql("SELECT max(number) AS n FROM generations WHERE domain = ?", domain)[0];
    return (row?.n ?? null) as number | null;
  }

  /** A manifest that was made here, or under another key. @throws Damage */
  #verify(domain: string, number: number, bytes: Uint8Array, isOfHead: boolean): ManifestRecord {
    const name = `${domain} ${number}`;
    const known = this.#verified.get(name);
    if (known !== undefined && equalBytes(known.bytes, bytes)) return known;
    let record: ManifestRecord;
    try {
      record = readVerified(bytes, domain, this.#proof.keyFor);
      if (record.generation !== number) throw new DirectoryError("damaged", `it says ${record.generation}`);
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      const what = `generation ${number} is damaged in the Registry (${error.message}): ${RESTORE}`;
      throw new Damage("damaged_manifest", domain, what, { isOfHead });
    }
    this.#verifiedBytes += bytes.length;
    if (this.#verifiedBytes > REMEMBERED) {
      this.#verified.clear();
      this.#verifiedBytes = bytes.length;
    }
    this.#verified.set(name, record);
    return record;
  }

  /** One generation of a domain, null if history no longer has it. @throws Damage */
  generation(domain: string, number: number): Head | null {
    const row = this.#storage.sql(
      "SELECT manifest FROM generations WHERE domain = ? AND number = ?",
      domain,
      number,
    )[0];
    if (row === undefined) return null;
    return { number, manifest: this.#verify(domain, number, bytesOf(row.manifest), false) };
  }

  /** The same, null if it is damaged. */
  soundGeneration(domain: string, number: number): Head | null {
    return unlessDamaged(() => this.generation(domain, number));
  }

  /** The newest generation of a domain that is neither a tombstone nor damaged. */
  lastList(domain: string): Head | null {
    let before = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const row = this.#storage.sql(
        `SELECT number FROM generations WHERE domain = ? AND number < ? AND action != 'delete'
         ORDER BY number DESC LIMIT 1`,
        domain,
        before,
      )[0];
      if (row === undefined) return null;
      before = row.number as number;
      const list = this.soundGeneration(domain, before);
      if (list !== null) return list;
    }
  }

  /** Bytes of a blob as they are stored: the reader verifies them. */
  blobBytes(domain: string, id: string): Uint8Array | null {
    const row = this.#storage.sql("SELECT bytes FROM blobs WHERE domain = ? AND id = ?", domain, id)[0];
    return row === undefined ? null : bytesOf(row.bytes);
  }

  /** A blob that something is made from. @throws Damage if the Registry lost it, or has other bytes */
  blob(domain: string, id: string): Uint8Array {
    const bytes = this.blobBytes(domain, id);
    const damage = (kind: FaultKind, what: string): Damage =>
      new Damage(kind, domain, `blob ${id} ${what} in the Registry: ${PUT_AGAIN}`, { blob: id });
    if (bytes === null) throw damage("missing_blob", "is missing");
    if (this.#verifiedBlobs.has(id)) return bytes;
    if (!equalBytes(this.#proof.hashing.sha256(bytes), fromHex(id)))
      throw damage("damaged_blob", "is damaged");
    this.#verifiedBlobs.add(id);
    return bytes;
  }
}

/** What `read` finds, null if that is damaged. */
function unlessDamaged<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Damage) return null;
    throw error;
  }
}

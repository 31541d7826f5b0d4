import {
  type BlobTable,
  blobId,
  type Departures,
  equalBytes,
  type Holdings,
  type Manifest,
  type Shard,
} from "../directory/index.ts";

/** What a manifest costs beside its bytes: its decoded form and its prepared keys. */
const MANIFEST_OVERHEAD = 6_144;
const BLOB_OVERHEAD = 512;
/** Room made at one time, so that making it is rare. */
const ROOM_SHARE = 0.1;

/** Something in memory that can be let go of. */
interface Resident {
  /** Tick of the last use. */
  usedAt: number;
  readonly size: number;
  release(): void;
}

/** One generation in memory, with those of its blobs that are there too. */
export interface HeldManifest extends Holdings {
  readonly manifest: Manifest;
  /** When it was asked for, Unix milliseconds. */
  readonly readAt: number;
}

type Table = "shards" | "departures";

class Held implements HeldManifest, Resident {
  readonly manifest: Manifest;
  readAt: number;
  usedAt: number;
  readonly size: number;
  readonly blobs: { readonly shards: HeldBlob<Shard>[]; readonly departures: HeldBlob<Departures>[] } = {
    shards: [],
    departures: [],
  };
  readonly #memory: Memory;

  constructor(memory: Memory, manifest: Manifest, readAt: number) {
    this.#memory = memory;
    this.manifest = manifest;
    this.readAt = readAt;
    this.usedAt = memory.tick();
    this.size = 2 * manifest.bytes.length + MANIFEST_OVERHEAD;
  }

  shard(index: number): Shard | undefined {
    return this.#use(this.blobs.shards[index]);
  }

  departures(index: number): Departures | undefined {
    return this.#use(this.blobs.departures[index]);
  }

  #use<B>(blob: HeldBlob<B> | undefined): B | undefined {
    if (blob?.content === undefined) return undefined;
    blob.usedAt = this.#memory.tick();
    return blob.content;
  }

  release(): void {
    this.#memory.forget(this);
  }
}

class HeldBlob<B> implements Resident {
  /** Gone once it is let go of: manifests name it for longer, and must not keep its bytes. */
  content: B | undefined;
  readonly size: number;
  usedAt: number;

  constructor(content: B & { readonly bytes: Uint8Array }, usedAt: number) {
    this.content = content;
    this.size = content.bytes.length + BLOB_OVERHEAD;
    this.usedAt = usedAt;
  }

  release(): void {
    this.content = undefined;
  }
}

/**
 * The isolate's hot copy: manifests and the raw bytes of their blobs, bounded in bytes, the least recently used
 * let go of first. Only settled values are shared between requests.
 */
export class Memory {
  readonly #limit: number;
  readonly #manifests = new Map<string, Held>();
  readonly #residents = new Set<Resident>();
  #size = 0;
  #clock = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held, about. */
  get size(): number {
    return this.#size;
  }

  get(domain: string): HeldManifest | undefined {
    const held = this.#manifests.get(domain);
    if (held !== undefined) held.usedAt = this.tick();
    return held;
  }

  /** Looks without counting as a use. */
  peek(domain: string): HeldManifest | undefined {
    return this.#manifests.get(domain);
  }

  /** Domains whose manifest was used most lately, at most `count`. */
  recent(count: number): HeldManifest[] {
    return [...this.#manifests.values()].sort((a, b) => b.usedAt - a.usedAt).slice(0, count);
  }

  /**
   * Keeps a manifest, in place of the one that is held of its domain. Blobs that both name stay.
   * @param readAt when it was asked for, Unix milliseconds
   */
  hold(manifest: Manifest, readAt: number): void {
    const before = this.#manifests.get(manifest.domain);
    if (before !== undefined && isSameGeneration(before.manifest, manifest)) {
      before.readAt = Math.max(before.readAt, readAt);
      return;
    }
    const held = new Held(this, manifest, readAt);
    // It stands in the other one's place before that is let go of, so that what both name does not go along.
    this.#manifests.set(manifest.domain, held);
    if (before !== undefined) {
      this.#inherit(before, held, "shards");
      this.#inherit(before, held, "departures");
      this.#release(before);
    }
    this.#add(held);
  }

  /** Keeps a blob of a manifest. Where that was replaced meanwhile, it stays if what is held now names it too. */
  holdBlob({ manifest }: HeldManifest, table: Table, index: number, content: Shard | Departures): void {
    const held = this.#manifests.get(manifest.domain);
    if (held === undefined || !sameBlob(manifest[table], held.manifest[table], index)) return;
    const before = held.blobs[table][index];
    if (before !== undefined) this.#release(before as Resident);
    // A use of its manifest too: to make room for a blob by letting go of what names it would be of no help.
    held.usedAt = this.tick();
    const blob = new HeldBlob(content, this.tick());
    (held.blobs[table] as HeldBlob<Shard | Departures>[])[index] = blob;
    this.#add(blob);
  }

  /** Lets go of a manifest and of all of its blobs. */
  forget(held: HeldManifest): void {
    if (!(held instanceof Held) || this.#manifests.get(held.manifest.domain) !== held) return;
    this.#manifests.delete(held.manifest.domain);
    for (const blob of [...held.blobs.shards, ...held.blobs.departures]) {
      if (blob !== undefined) this.#release(blob);
    }
    this.#release(held);
  }

  tick(): number {
    return ++this.#clock;
  }

  #inherit(before: Held, after: Held, table: Table): void {
    const [from, to] = [before.manifest[table], after.manifest[table]];
    before.blobs[table].forEach((blob, index) => {
      if (sameBlob(from, to, index)) (after.blobs[table] as HeldBlob<unknown>[])[index] = blob;
      else this.#release(blob);
    });
  }

  #add(resident: Resident): void {
    this.#residents.add(resident);
    this.#size += resident.size;
    if (this.#size > this.#limit) this.#makeRoom(resident);
  }

  /** Sorting all residents is dear, so it makes room for many at once. What was just added stays. */
  #makeRoom(added: Resident): void {
    const oldest = [...this.#residents].sort((a, b) => a.usedAt - b.usedAt);
    for (const resident of oldest) {
      if (this.#size <= this.#limit * (1 - ROOM_SHARE)) return;
      if (resident !== added) this.#release(resident);
    }
  }

  #release(resident: Resident): void {
    if (!this.#residents.delete(resident)) return;
    this.#size -= resident.size;
    resident.release();
  }
}

/** An export that was begun anew may use numbers again, so the bytes decide there. */
const isSameGeneration = (a: Manifest, b: Manifest): boolean =>
  a.origin === b.origin &&
  (a.origin === "kv"
    ? equalBytes(a.bytes, b.bytes)
    : a.generation === b.generation && a.incarnation === b.incarnation);

const sameBlob = (a: BlobTable, b: BlobTable, index: number): boolean =>
  a.bits === b.bits && a.inline === null && b.inline === null && blobId(a, index) === blobId(b, index);

/** Name under which the loading of a blob is known: that of the blob itself, whichever generations name it. */
export const blobName = ({ manifest }: HeldManifest, table: Table, index: number): string =>
  `${table} ${manifest.domain} ${index} ${blobId(manifest[table], index)}`;

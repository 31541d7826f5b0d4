import {
  blobId,
  type Departures,
  type Holdings,
  isSameBlob,
  isSameGeneration,
  type Manifest,
  type Shard,
} from "../directory/index.ts";

/** What a manifest costs besides its bytes: its decoded form and its prepared keys. */
const MANIFEST_OVERHEAD = 6_144;
const BLOB_OVERHEAD = 512;
/** Share of the limit that is freed at once, so that eviction is rare. */
const ROOM_SHARE = 0.1;

/** Something that can be evicted. */
interface Evictable {
  /** Tick of the last use. */
  usedAt: number;
  readonly size: number;
  evicted(): void;
}

/** One cached generation, with those of its blobs that are cached too. */
export interface CachedManifest extends Holdings {
  readonly manifest: Manifest;
  /** When it was asked for, Unix milliseconds. */
  readonly readAt: number;
}

/** The manifest's table that names a blob. */
export type BlobKind = "shards" | "departures";

class Entry implements CachedManifest, Evictable {
  readonly manifest: Manifest;
  readAt: number;
  usedAt: number;
  readonly size: number;
  readonly blobs: { readonly shards: CachedBlob<Shard>[]; readonly departures: CachedBlob<Departures>[] } = {
    shards: [],
    departures: [],
  };
  readonly #cache: BlobCache;

  constructor(cache: BlobCache, manifest: Manifest, readAt: number) {
    this.#cache = cache;
    this.manifest = manifest;
    this.readAt = readAt;
    this.usedAt = cache.tick();
    this.size = 2 * manifest.bytes.length + MANIFEST_OVERHEAD;
  }

  shard(index: number): Shard | undefined {
    return this.#use(this.blobs.shards[index]);
  }

  departures(index: number): Departures | undefined {
    return this.#use(this.blobs.departures[index]);
  }

  #use<B>(blob: CachedBlob<B> | undefined): B | undefined {
    if (blob?.content === undefined) return undefined;
    blob.usedAt = this.#cache.tick();
    return blob.content;
  }

  evicted(): void {
    this.#cache.delete(this);
  }
}

class CachedBlob<B> implements Evictable {
  /** Undefined once evicted: manifests refer to it for longer, and must not keep its bytes alive. */
  content: B | undefined;
  readonly size: number;
  usedAt: number;

  constructor(content: B & { readonly bytes: Uint8Array }, usedAt: number) {
    this.content = content;
    this.size = content.bytes.length + BLOB_OVERHEAD;
    this.usedAt = usedAt;
  }

  evicted(): void {
    this.content = undefined;
  }
}

/**
 * Manifests and the raw bytes of their blobs, bounded in bytes; the least recently used is evicted first. It holds
 * settled values only, so that all requests can share it.
 */
export class BlobCache {
  readonly #limit: number;
  readonly #manifests = new Map<string, Entry>();
  readonly #evictables = new Set<Evictable>();
  #size = 0;
  #clock = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes cached, approximately. */
  get size(): number {
    return this.#size;
  }

  get(domain: string): CachedManifest | undefined {
    const entry = this.#manifests.get(domain);
    if (entry !== undefined) entry.usedAt = this.tick();
    return entry;
  }

  /** Does not count as a use. */
  peek(domain: string): CachedManifest | undefined {
    return this.#manifests.get(domain);
  }

  /** The most recently used manifests, at most `count`. */
  recent(count: number): CachedManifest[] {
    return [...this.#manifests.values()].sort((a, b) => b.usedAt - a.usedAt).slice(0, count);
  }

  /**
   * Caches a manifest in place of the domain's previous one. Blobs that both contain stay.
   * @param readAt when it was asked for, Unix milliseconds
   */
  put(manifest: Manifest, readAt: number): void {
    const before = this.#manifests.get(manifest.domain);
    if (before !== undefined && isSameGeneration(before.manifest, manifest)) {
      before.readAt = Math.max(before.readAt, readAt);
      return;
    }
    const entry = new Entry(this, manifest, readAt);
    // It replaces the previous one before that is evicted, so that the blobs of both are not evicted with it.
    this.#manifests.set(manifest.domain, entry);
    if (before !== undefined) {
      this.#inherit(before, entry, "shards");
      this.#inherit(before, entry, "departures");
      this.#evict(before);
    }
    this.#add(entry);
  }

  /** Caches a blob of a manifest, or of the manifest that has replaced it, if that contains the blob too. */
  putBlob({ manifest }: CachedManifest, kind: BlobKind, index: number, content: Shard | Departures): void {
    const entry = this.#manifests.get(manifest.domain);
    if (entry === undefined || !isSameBlob(manifest[kind], entry.manifest[kind], index)) return;
    const before = entry.blobs[kind][index];
    if (before !== undefined) this.#evict(before as Evictable);
    // This uses the manifest too: evicting that to make room for its own blob would be pointless.
    entry.usedAt = this.tick();
    const blob = new CachedBlob(content, this.tick());
    (entry.blobs[kind] as CachedBlob<Shard | Departures>[])[index] = blob;
    this.#add(blob);
  }

  /** Removes a manifest and all of its blobs. */
  delete(entry: CachedManifest): void {
    if (!(entry instanceof Entry) || this.#manifests.get(entry.manifest.domain) !== entry) return;
    this.#manifests.delete(entry.manifest.domain);
    for (const blob of [...entry.blobs.shards, ...entry.blobs.departures]) {
      if (blob !== undefined) this.#evict(blob);
    }
    this.#evict(entry);
  }

  tick(): number {
    return ++this.#clock;
  }

  #inherit(before: Entry, after: Entry, kind: BlobKind): void {
    const [from, to] = [before.manifest[kind], after.manifest[kind]];
    before.blobs[kind].forEach((blob, index) => {
      if (isSameBlob(from, to, index)) (after.blobs[kind] as CachedBlob<unknown>[])[index] = blob;
      else this.#evict(blob);
    });
  }

  #add(item: Evictable): void {
    this.#evictables.add(item);
    this.#size += item.size;
    if (this.#size > this.#limit) this.#makeRoom(item);
  }

  /** Sorting is expensive, so it makes room for many entries at once. What was just added stays. */
  #makeRoom(added: Evictable): void {
    const oldest = [...this.#evictables].sort((a, b) => a.usedAt - b.usedAt);
    for (const item of oldest) {
      if (this.#size <= this.#limit * (1 - ROOM_SHARE)) return;
      if (item !== added) this.#evict(item);
    }
  }

  #evict(item: Evictable): void {
    if (!this.#evictables.delete(item)) return;
    this.#size -= item.size;
    item.evicted();
  }
}

/** Name of the work of fetching a blob: the same for all generations that contain it. */
export const blobName = ({ manifest }: CachedManifest, kind: BlobKind, index: number): string =>
  `${kind} ${manifest.domain} ${index} ${blobId(manifest[kind], index)}`;

import type { Position } from "../api/index.ts";
import {
  blobId,
  blobKey,
  type Departures,
  decodeDepartures,
  decodeShard,
  equalBytes,
  fromHex,
  type Manifest,
  manifestKey,
  openManifest,
  type Shard,
} from "../directory/index.ts";
import { messageOf } from "../runtime/message-of.ts";
import { type BlobCache, type BlobKind, blobName, type CachedManifest } from "./blob-cache.ts";
import { faultKindOf } from "./faults.ts";
import { type KvReads, LONG_TTL, SHORT_TTL } from "./kv-reads.ts";
import type { LogClient } from "./log-client.ts";
import type { LogView } from "./log-view.ts";
import type { LogViews } from "./log-views.ts";
import { isNewer, numberIn } from "./manifest-order.ts";
import type { ReaderContext, ReaderPorts } from "./ports.ts";
import type { SingleFlight } from "./single-flight.ts";

/** A blob of a manifest younger than this may not be in KV yet; a long cacheTtl would pin its absence. Milliseconds. */
const YOUNG = 600_000;
/** Most recently used manifests that one refresh brings up to date. */
const MANIFESTS_IN_USE = 16;

/** Where manifests and blobs come from, in this order. */
interface Sources {
  readonly kv: KvReads;
  readonly registry: LogClient;
}

/** Brings manifests and blobs into the cache: from KV, else from the Registry. What does not verify counts as missing. */
export class Fetcher {
  readonly #ports: ReaderPorts;
  readonly #views: LogViews;
  readonly #cache: BlobCache;
  readonly #sources: Sources;
  readonly #flight: SingleFlight;

  constructor(ports: ReaderPorts, views: LogViews, cache: BlobCache, sources: Sources, flight: SingleFlight) {
    this.#ports = ports;
    this.#views = views;
    this.#cache = cache;
    this.#sources = sources;
    this.#flight = flight;
  }

  /**
   * Caches a domain's manifest of the needed number, or a later one, if there is one. A cached manifest is never
   * replaced by an older one.
   */
  manifest(context: ReaderContext, domain: string, need: Position): Promise<void> {
    const readAt = this.#cache.peek(domain)?.readAt ?? Number.NEGATIVE_INFINITY;
    const view = this.#views.of(domain);
    return this.#flight.run(context, {
      name: `manifest ${domain}`,
      target: need.number,
      // Work for a lower number may have found one that is new enough. KV may also show an older one than is needed; the
      // Registry is still being asked then.
      isSettled: () => {
        const cached = this.#cache.peek(domain);
        return (
          cached !== undefined && cached.readAt > readAt && numberIn(view, cached.manifest) >= need.number
        );
      },
      run: () => this.#fetchManifest(context, view, domain, need.number),
    });
  }

  /** Fetches the manifests in use that are older than the heads of a partition's log, before a check needs them. */
  async catchUp(context: ReaderContext, view: LogView): Promise<void> {
    for (const { manifest } of this.#cache.recent(MANIFESTS_IN_USE)) {
      const { domain } = manifest;
      const head = view.head(domain);
      if (head === undefined || numberIn(view, manifest) >= head) continue;
      await this.manifest(context, domain, { incarnation: view.incarnation, number: head });
    }
  }

  /** Caches one blob of a cached manifest. */
  blob(context: ReaderContext, of: CachedManifest, kind: BlobKind, index: number): Promise<void> {
    return this.#flight.run(context, {
      name: blobName(of, kind, index),
      run: () => this.#fetchBlob(context, of, kind, index),
    });
  }

  async #fetchManifest(context: ReaderContext, view: LogView, domain: string, need: number): Promise<void> {
    const askedAt = this.#ports.clock.now();
    const fromKv = await this.#manifestFromKv(context, domain);
    if (fromKv !== null) this.#keepNewer(fromKv, askedAt);
    const head = view.head(domain);
    const number = fromKv === null ? -1 : numberIn(view, fromKv);
    if (number >= Math.max(need, head ?? 0)) return;
    // Asking the Registry for every domain that a client may invent would have no bound.
    if (head === undefined) return;
    const questionAt = this.#ports.clock.now();
    const bytes = await this.#sources.registry.manifest(context, view, domain);
    if (bytes === null) throw new Error(`${domain} has no generation`);
    const manifest = this.#open(domain, bytes);
    this.#keepNewer(manifest, questionAt);
    if (manifest.generation < need)
      throw new Error(`${domain}: generation ${need} was not found in KV or the Registry`);
  }

  async #manifestFromKv(context: ReaderContext, domain: string): Promise<Manifest | null> {
    const bytes = await this.#sources.kv.bytes(context, manifestKey(domain), SHORT_TTL);
    if (!bytes) return null;
    try {
      return this.#open(domain, bytes);
    } catch {
      // The Registry may have an intact one.
      return null;
    }
  }

  /** Opens and verifies a manifest. @throws DirectoryError if that fails, after a call of the observer */
  #open(domain: string, bytes: Uint8Array): Manifest {
    try {
      return openManifest(bytes, domain, this.#ports.keyFor);
    } catch (error) {
      this.#ports.observer.fault(faultKindOf(error, "damaged_manifest"), domain, messageOf(error));
      throw error;
    }
  }

  #keepNewer(manifest: Manifest, readAt: number): void {
    const cached = this.#cache.peek(manifest.domain)?.manifest;
    if (cached === undefined || isNewer(manifest, cached)) this.#cache.put(manifest, readAt);
  }

  async #fetchBlob(context: ReaderContext, of: CachedManifest, kind: BlobKind, index: number): Promise<void> {
    const { domain, time } = of.manifest;
    const table = of.manifest[kind];
    const id = blobId(table, index);
    const prove = (bytes: Uint8Array | null | undefined, where: string): Shard | Departures | null => {
      if (!bytes) return null;
      const blob = this.#prove(bytes, id, kind, table.bits, index);
      if (blob === null)
        this.#ports.observer.fault("damaged_blob", domain, `blob ${id} in ${where} is damaged`);
      return blob;
    };
    const isYoung = this.#ports.clock.now() - time < YOUNG;
    const { kv, registry } = this.#sources;
    const key = blobKey(domain, id);
    let bytes = await kv.bytes(context, key, isYoung ? SHORT_TTL : LONG_TTL);
    // The long cacheTtl may have pinned an earlier absence.
    if (bytes === null && !isYoung) bytes = await kv.bytes(context, key, SHORT_TTL);
    let blob = prove(bytes, "KV");
    if (blob === null) {
      const isMissed = bytes !== undefined;
      const kept = await registry.blob(context, this.#views.of(domain), domain, id, isMissed);
      if (kept === null) {
        this.#ports.observer.fault(
          "missing_blob",
          domain,
          `blob ${id} was not found intact in KV or the Registry`,
        );
      }
      blob = prove(kept, "the Registry");
    }
    if (blob === null) throw new Error(`blob ${id} of ${domain} was not found in KV or the Registry`);
    this.#cache.putBlob(of, kind, index, blob);
  }

  /** Verifies that bytes are the blob of this id and place; null if they are not. */
  #prove(
    bytes: Uint8Array,
    id: string,
    kind: BlobKind,
    bits: number,
    index: number,
  ): Shard | Departures | null {
    if (!equalBytes(this.#ports.hashing.sha256(bytes), fromHex(id))) return null;
    try {
      const blob = kind === "shards" ? decodeShard(bytes) : decodeDepartures(bytes);
      // Departures carry no index: only the Registry makes them, in order.
      const fits = blob.bits === bits && (!("index" in blob) || blob.index === index);
      return fits ? blob : null;
    } catch {
      return null;
    }
  }
}

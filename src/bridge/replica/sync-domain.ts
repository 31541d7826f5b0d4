import type { Position } from "../../api/index.ts";
import { ClientError } from "../../client/index.ts";
import {
  blobIds,
  DirectoryError,
  type DomainKey,
  decodeDepartures,
  decodeShard,
  domainKey,
  equalBytes,
  fromBase64Url,
  fromHex,
  type Hashing,
  type Manifest,
  openManifest,
  readManifest,
} from "../../directory/index.ts";
import type { Release } from "../../runtime/semaphore.ts";
import type { KeyRing } from "./key-ring.ts";
import type { ReplicaEdge, ReplicaObserver } from "./ports.ts";
import type { ReplicaStore } from "./store.ts";

/** Blobs of one domain that are fetched at the same time. */
const WIDTH = 6;
/** Times that the list may move on during one fetch. */
const TRIES = 5;

export interface SyncPorts {
  readonly store: ReplicaStore;
  readonly keys: KeyRing;
  readonly edge: ReplicaEdge;
  readonly hashing: Hashing;
  readonly observer: Pick<ReplicaObserver, "progress" | "fetched" | "missing">;
  /** Waits for a turn to send a request. */
  turn(): Promise<Release>;
}

/** What of a domain is complete in the store. */
export interface Synced {
  readonly manifest: Manifest;
  /** Blobs that had to be fetched. */
  readonly fetched: number;
}

/**
 * Brings one domain up to its head: the manifest, its key, and every blob that is not in the store yet. The manifest is
 * stored last, so that a stored manifest is complete, and an interrupted fetch continues with the blobs that it lacks.
 *
 * @param need the domain's head, at the least
 * @param wasComplete whether the list was complete in the store
 * @throws if that fails; what was fetched stays
 */
export async function syncDomain(
  ports: SyncPorts,
  domain: string,
  need: Position,
  wasComplete: boolean,
): Promise<Synced> {
  const { store, observer } = ports;
  const bytes = await store.manifest(domain);
  const stored = bytes === null ? null : await openStored(ports, domain, bytes);
  // A first fetch may have been interrupted before the manifest was stored.
  if (stored === null && (bytes !== null || wasComplete))
    observer.missing(domain, "its manifest, or the key");
  if (stored !== null && isEnough(stored, need)) {
    const missing = await missingBlobs(ports, stored);
    // A stored manifest was complete.
    if (missing.length > 0) {
      const [first] = missing;
      observer.missing(domain, missing.length === 1 ? `blob ${first}` : `${missing.length} blobs`);
    }
    const fetched = await fetchBlobs(ports, stored, missing);
    if (fetched !== null) return finish(ports, stored, fetched);
  }
  for (let tries = 1; tries <= TRIES; tries++) {
    const manifest = await fetchManifest(ports, domain);
    if (!isEnough(manifest, need)) {
      throw new Error(
        `the edge sent generation ${manifest.generation} of log ${manifest.incarnation}; the head is ${need.number} of ${need.incarnation}`,
      );
    }
    const fetched = await fetchBlobs(ports, manifest, await missingBlobs(ports, manifest));
    // Otherwise the head has moved on, and some of its blobs are gone.
    if (fetched === null) continue;
    await store.putManifest(domain, manifest.bytes);
    return finish(ports, manifest, fetched);
  }
  throw new Error("the list changed again and again while it was fetched");
}

async function finish({ store, keys }: SyncPorts, manifest: Manifest, fetched: number): Promise<Synced> {
  const { domain, key } = manifest;
  keys.keep(domain, key.epoch);
  await store.tidy(domain, new Set(idsOf(manifest)), key.epoch);
  return { manifest, fetched };
}

const isEnough = ({ incarnation, generation }: Manifest, need: Position): boolean =>
  incarnation === need.incarnation && generation >= need.number;

const idsOf = ({ shards, departures }: Manifest): string[] => [...blobIds(shards), ...blobIds(departures)];

/** Null if it does not verify. */
async function openStored(ports: SyncPorts, domain: string, bytes: Uint8Array): Promise<Manifest | null> {
  const { store, keys } = ports;
  try {
    const { epoch } = readManifest(bytes, domain);
    const key = keys.get(domain, epoch) ?? (await store.key(domain, epoch));
    if (key === null) return null;
    keys.put(key);
    return openManifest(bytes, domain, keys.keyFor);
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

async function fetchManifest(ports: SyncPorts, domain: string): Promise<Manifest> {
  const { edge, store, keys, observer } = ports;
  const bytes = await inTurn(ports, () => edge.manifest(domain));
  observer.fetched(bytes.length);
  const { epoch, keyId } = readManifest(bytes, domain);
  const stored = await store.key(domain, epoch);
  const known = keys.get(domain, epoch) ?? stored;
  // The key of another edge, which this folder belonged to before, has another id.
  const key = known?.id === keyId ? known : await fetchKey(ports, domain, epoch);
  // The folder may have lost one that is in memory.
  if (stored?.id !== key.id) await store.putKey(key);
  keys.put(key);
  return openManifest(bytes, domain, keys.keyFor);
}

async function fetchKey(ports: SyncPorts, domain: string, epoch: number): Promise<DomainKey> {
  const { edge, hashing } = ports;
  const body = await inTurn(ports, () => edge.domainKey(domain, epoch));
  const key = domainKey(hashing, fromBase64Url(body.key), domain, epoch);
  if (body.domain !== domain || body.epoch !== epoch || body.key_id !== key.id) {
    throw new Error(`the edge sent another key than that of epoch ${epoch}`);
  }
  return key;
}

/** Ids of the blobs that the store does not have. */
async function missingBlobs({ store }: SyncPorts, manifest: Manifest): Promise<string[]> {
  const present = await store.blobIds(manifest.domain);
  return [...new Set(idsOf(manifest))].filter((id) => !present.has(id));
}

/** @returns how many were fetched; null if the edge no longer has one, since the head moved on */
async function fetchBlobs(
  ports: SyncPorts,
  manifest: Manifest,
  missing: readonly string[],
): Promise<number | null> {
  const { store, observer } = ports;
  const { domain } = manifest;
  const shards = new Set(blobIds(manifest.shards));
  let next = 0;
  let done = 0;
  let isGone = false;
  const worker = async (): Promise<void> => {
    while (next < missing.length && !isGone) {
      const id = missing[next++] as string;
      const bytes = await fetchBlob(ports, domain, id, shards.has(id));
      if (bytes === null) {
        isGone = true;
        return;
      }
      await store.putBlob(domain, id, bytes);
      observer.progress(domain, ++done, missing.length);
    }
  };
  const workers = Array.from({ length: Math.min(WIDTH, missing.length) }, worker);
  // All of them end before the caller goes on, so that none writes later.
  const ends = await Promise.allSettled(workers);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return isGone ? null : missing.length;
}

/** Null if the edge does not have it. @throws if what it sends is not the blob of this id */
async function fetchBlob(
  ports: SyncPorts,
  domain: string,
  id: string,
  isShard: boolean,
): Promise<Uint8Array | null> {
  try {
    const bytes = await inTurn(ports, () => ports.edge.blob(domain, id));
    ports.observer.fetched(bytes.length);
    if (!equalBytes(ports.hashing.sha256(bytes), fromHex(id)))
      throw new Error(`the edge sent another blob than ${id}`);
    if (isShard) decodeShard(bytes);
    else decodeDepartures(bytes);
    return bytes;
  } catch (error) {
    if (error instanceof ClientError && error.code === "not_found") return null;
    throw error;
  }
}

async function inTurn<T>(ports: SyncPorts, request: () => Promise<T>): Promise<T> {
  const release = await ports.turn();
  try {
    return await request();
  } finally {
    release();
  }
}

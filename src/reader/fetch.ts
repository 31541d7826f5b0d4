/** How an isolate comes by the manifests and blobs that it lacks: from KV, else from the Registry. */

import type { Position } from "../api/log.ts";
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
import { blobName, type HeldManifest } from "./blob-cache.ts";
import { messageOf } from "./faults.ts";
import type { Isolate } from "./isolate.ts";
import { answered, ask } from "./log-client.ts";
import { isNewer, numberOf } from "./manifest-order.ts";
import { BudgetSpent, type Scope } from "./scope.ts";
import { KV_PATIENCE, once, SHORT_TTL, withPatience } from "./single-flight.ts";

/** Blobs are named by their content and never change. */
const LONG_TTL = 31_536_000;
/** A blob of a manifest younger than this may not have arrived yet; a long cacheTtl would pin its absence. */
const YOUNG = 600_000;

/**
 * Brings a domain's manifest into memory, at least of the number that is needed if there is such a one: KV's, else
 * the Registry's. What is held is never replaced by something older.
 */
export function loadManifest(isolate: Isolate, scope: Scope, domain: string, need: Position): Promise<void> {
  const readAt = isolate.memory.peek(domain)?.readAt ?? Number.NEGATIVE_INFINITY;
  const confirmation = isolate.confirmation(isolate.partitionOf(domain));
  // What KV shows may be older than what is needed, and then the Registry is still being asked.
  const isSettled = (): boolean => {
    const held = isolate.memory.peek(domain);
    if (held === undefined || held.readAt <= readAt) return false;
    return numberOf(held.manifest, confirmation.incarnation, confirmation.known(domain)) >= need.number;
  };
  const run = () => fetchManifest(isolate, scope, domain, need.number);
  return once(isolate, scope, { name: `manifest ${domain}`, aim: need.number, isSettled, run });
}

async function fetchManifest(isolate: Isolate, scope: Scope, domain: string, need: number): Promise<void> {
  const partition = isolate.partitionOf(domain);
  const confirmation = isolate.confirmation(partition);
  const askedAt = isolate.now();
  const fromKv = await readKvManifest(isolate, scope, domain);
  const known = confirmation.known(domain);
  if (fromKv !== null) holdNewer(isolate, fromKv, askedAt);
  const number = fromKv === null ? -1 : numberOf(fromKv, confirmation.incarnation, known);
  if (number >= Math.max(need, known ?? 0)) return;
  if (known === undefined) {
    if (isolate.isExported(domain)) throw new Error(`the export of ${domain} is not to be had`);
    // A domain that nobody is known to serve is the roster's business: asking for each would know no bound.
    if (need === 0) return;
  }
  const questionAt = isolate.now();
  const bytes = (await ask(isolate, scope, partition, domain)).wanted?.manifest;
  if (!bytes) throw new Error(`${domain} has no generation`);
  const manifest = opened(isolate, domain, bytes);
  holdNewer(isolate, manifest, questionAt);
  if (manifest.generation < need) throw new Error(`no generation ${need} of ${domain} is to be had`);
}

async function readKvManifest(isolate: Isolate, scope: Scope, domain: string): Promise<Manifest | null> {
  const bytes = await readKv(isolate, scope, manifestKey(domain), SHORT_TTL);
  if (!bytes) return null;
  try {
    return opened(isolate, domain, bytes);
  } catch {
    // The Registry may still have it whole.
    return null;
  }
}

/** A manifest that fits. @throws DirectoryError where it does not, and the operator is told */
function opened(isolate: Isolate, domain: string, bytes: Uint8Array): Manifest {
  try {
    return openManifest(bytes, domain, isolate.keyFor);
  } catch (error) {
    isolate.faults.noteUnopened(error, "damaged_manifest", domain);
    throw error;
  }
}

/** Bytes of a key as KV has them, null where it has none, undefined where it cannot be read. */
async function readKv(
  isolate: Isolate,
  scope: Scope,
  key: string,
  cacheTtl: number,
): Promise<Uint8Array | null | undefined> {
  try {
    return await withPatience(isolate, () => scope.kv.get(key, cacheTtl), KV_PATIENCE);
  } catch (error) {
    if (error instanceof BudgetSpent) throw error;
    isolate.faults.note("kv_unreadable", null, messageOf(error));
    return undefined;
  }
}

function holdNewer(isolate: Isolate, manifest: Manifest, readAt: number): void {
  const held = isolate.memory.peek(manifest.domain)?.manifest;
  if (held === undefined || isNewer(manifest, held)) isolate.memory.hold(manifest, readAt);
}

/** Brings one blob of a held manifest into memory. */
export function loadBlob(
  isolate: Isolate,
  scope: Scope,
  held: HeldManifest,
  table: "shards" | "departures",
  index: number,
): Promise<void> {
  const { domain } = held.manifest;
  const id = blobId(held.manifest[table], index);
  const name = blobName(held, table, index);
  // In whatever generation took the place of this one: it may name the blob too, or have no use for it.
  const isSettled = (): boolean => {
    const now = isolate.memory.peek(domain);
    if (now === undefined || blobName(now, table, index) !== name) return true;
    return (table === "shards" ? now.shard(index) : now.departures(index)) !== undefined;
  };
  const run = async (): Promise<void> => {
    const prove = (bytes: Uint8Array | null | undefined, where: string): Shard | Departures | null => {
      if (!bytes) return null;
      const blob = proveBlob(isolate, id, table, { bits: held.manifest[table].bits, index }, bytes);
      if (blob === null) isolate.faults.note("damaged_blob", domain, `blob ${id} in ${where} is damaged`);
      return blob;
    };
    const fromRegistry = async (isMissed: boolean): Promise<Uint8Array | null> => {
      const bytes = await blobFromRegistry(isolate, scope, domain, id, isMissed);
      if (bytes === null) {
        isolate.faults.note("missing_blob", domain, `neither KV nor the Registry has blob ${id} whole`);
      }
      return bytes;
    };
    const young = isolate.now() - held.manifest.time < YOUNG;
    const key = blobKey(domain, id);
    let fromKv = await readKv(isolate, scope, key, young ? SHORT_TTL : LONG_TTL);
    // A null may be an old one, pinned by the long cacheTtl.
    if (fromKv === null && !young) fromKv = await readKv(isolate, scope, key, SHORT_TTL);
    const blob = prove(fromKv, "KV") ?? prove(await fromRegistry(fromKv !== undefined), "the Registry");
    if (blob === null) throw new Error(`blob ${id} of ${domain} cannot be read`);
    isolate.memory.holdBlob(held, table, index, blob);
  };
  return once(isolate, scope, { name, isSettled, run });
}

async function blobFromRegistry(
  isolate: Isolate,
  scope: Scope,
  domain: string,
  id: string,
  isMissed: boolean,
): Promise<Uint8Array | null> {
  const partition = isolate.partitionOf(domain);
  return answered(isolate, partition, () => scope.registry(partition).blob(domain, id, isMissed));
}

/** Proves a blob: its bytes are named by their digest, and fit the table. Null where they do not. */
function proveBlob(
  isolate: Isolate,
  id: string,
  table: "shards" | "departures",
  place: { readonly bits: number; readonly index: number },
  bytes: Uint8Array,
): Shard | Departures | null {
  if (!equalBytes(isolate.ports.hashing.sha256(bytes), fromHex(id))) return null;
  try {
    const blob = table === "shards" ? decodeShard(bytes) : decodeDepartures(bytes);
    // Departures have no number: the Registry alone makes them, and in their order.
    const fits = blob.bits === place.bits && (!("index" in blob) || blob.index === place.index);
    return fits ? blob : null;
  } catch {
    return null;
  }
}

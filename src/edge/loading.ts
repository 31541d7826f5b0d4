/**
 * How an isolate comes by what it lacks: manifests and blobs from KV, else from the Registry; confirmation from
 * the Registry. One request does each piece of work, the others look at settled state; nothing here decides.
 */
import {
  blobId,
  blobKey,
  type Departures,
  decodeDepartures,
  decodeShard,
  equalBytes,
  fromHex,
  KV_ROSTER,
  type Manifest,
  manifestKey,
  openManifest,
  openRoster,
  type Roster,
  rosterKey,
  type Shard,
} from "../directory/index.ts";
import type { Isolate } from "./isolate.ts";
import type { HeldManifest } from "./memory.ts";
import { within } from "./patience.ts";
import type { QuestionAnswer } from "./registry/protocol.ts";
import { BudgetSpent, type Scope } from "./scope.ts";

/** Shortest cacheTtl, seconds: the platform raises it to what KV takes. */
const SHORT_TTL = 30;
/** Blobs are named by their content and never change. */
const LONG_TTL = 31_536_000;
/** A blob of a manifest younger than this may not have arrived yet; a long cacheTtl would pin its absence. */
const YOUNG = 600_000;
/** How long one operation, and the wait for somebody else's, may take. */
const PATIENCE = 3_000;
/** KV gets half of it, so that the Registry can still be asked. */
const KV_PATIENCE = 1_500;
/** A lease whose holder died ends by itself. */
const LEASE = 5_000;
/** Pause after a failure before the same is tried again. */
const PAUSE = 1_000;
const POLL = 15;
/** Name under which a failure to read KV's own roster is remembered. */
export const EXPORTS = "exports";
/** Offline exports are looked for this often. */
const KV_ROSTER_AGE = 60_000;
/** Manifests that a refresh brings up to date beforehand. */
const RELOADS = 16;

/**
 * Does a named piece of work once among all requests. Settles when it is done, by whomever, or when patience
 * ends; never rejects for a failure of the work, which is remembered for a moment instead.
 *
 * @param ended called when this request has tried, well or not
 */
async function once(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
  work: () => Promise<void>,
  ended: () => void = () => undefined,
): Promise<void> {
  const own = scope.underWay.get(name);
  if (own !== undefined) return own;
  const turn = takeTurn(isolate, scope, name, isSettled, work, ended);
  scope.underWay.set(name, turn);
  try {
    await turn;
  } finally {
    scope.underWay.delete(name);
  }
}

async function takeTurn(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
  work: () => Promise<void>,
  ended: () => void,
): Promise<void> {
  if (isolate.hasJustFailed(name)) return;
  if (!isolate.takeLease(name, LEASE)) return waitForOther(isolate, scope, name, isSettled);
  try {
    await withPatience(isolate, work);
    isolate.endFailure(name);
    ended();
  } catch (error) {
    // A spent budget is this request's own trouble, not the work's.
    if (error instanceof BudgetSpent) return;
    isolate.noteFailure(name, PAUSE);
    ended();
  } finally {
    isolate.endLease(name);
  }
}

async function waitForOther(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
): Promise<void> {
  const end = Math.min(isolate.now() + PATIENCE, scope.deadline);
  while (!isSettled() && isolate.hasLease(name) && isolate.now() < end)
    await isolate.ports.timers.sleep(POLL);
}

const withPatience = <T>(isolate: Isolate, work: () => Promise<T>, patience = PATIENCE): Promise<T> =>
  within(isolate.ports.timers, patience, work);

/** Asks a Registry what changed, unless somebody does already; settles when there is an answer or none. */
export function refresh(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const folds = confirmation.folds;
  return once(
    isolate,
    scope,
    refreshName(partition),
    () => confirmation.folds > folds,
    async () => {
      await readRosters(isolate, scope, partition);
      await ask(isolate, scope, partition, null);
    },
    () => isolate.noteRefresh(partition),
  );
}

const refreshName = (partition: number): string => `refresh ${partition}`;

/** Whether a Registry was asked in vain a moment ago. */
export const hasJustFailedToRefresh = (isolate: Isolate, partition: number): boolean =>
  isolate.hasJustFailed(refreshName(partition));

/** Whether somebody asks a Registry at this moment, or did so in vain a moment ago. */
function isRefreshing(isolate: Isolate, scope: Scope, partition: number): boolean {
  const name = refreshName(partition);
  return scope.underWay.has(name) || isolate.hasLease(name) || isolate.hasJustFailed(name);
}

/** Has the Registry asked after the answer was sent, once a request, unless somebody does already. */
export function refreshBehind(isolate: Isolate, scope: Scope, partition: number): void {
  const name = `behind ${refreshName(partition)}`;
  if (scope.underWay.has(name) || isRefreshing(isolate, scope, partition)) return;
  const work = refreshInBackground(isolate, scope, partition);
  scope.underWay.set(name, work);
  scope.background(work);
}

/** Refreshes, and brings manifests in use up to date. */
async function refreshInBackground(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  // The answer goes first.
  await isolate.ports.timers.sleep(0);
  if (isRefreshing(isolate, scope, partition)) return;
  await refresh(isolate, scope, partition);
  const confirmation = isolate.confirmation(partition);
  for (const { manifest } of isolate.memory.recent(RELOADS)) {
    const known = confirmation.known(manifest.domain);
    if (isolate.partitionOf(manifest.domain) !== partition || known === undefined) continue;
    if (known > manifest.generation) await loadManifest(isolate, scope, manifest.domain, known);
  }
}

async function readRosters(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const now = isolate.now();
  const keys = [
    ...(confirmation.position === null ? [String(partition)] : []),
    ...(now - isolate.kvRoster.readAt >= KV_ROSTER_AGE ? [KV_ROSTER] : []),
  ];
  if (keys.length === 0) return;
  try {
    const read = () => scope.kv.getTexts(keys.map(rosterKey), SHORT_TTL);
    const texts = await withPatience(isolate, read, KV_PATIENCE);
    for (const key of keys) {
      const text = texts.get(rosterKey(key)) ?? null;
      const roster = text === null ? null : readRoster(isolate, text, key);
      // Of a damaged roster nothing is known, which is another thing than that nobody is served.
      if (roster === "damaged") {
        if (key === KV_ROSTER) isolate.noteFailure(EXPORTS, PAUSE);
        continue;
      }
      if (key === KV_ROSTER) isolate.takeKvRoster(roster, now);
      else if (roster?.partitions === isolate.settings.partitions) confirmation.seed(roster);
    }
  } catch (error) {
    // Without a roster the Registry tells everything at once: dearer, never wrong.
    if (error instanceof BudgetSpent) throw error;
    if (keys.includes(KV_ROSTER)) isolate.noteFailure(EXPORTS, PAUSE);
  }
}

function readRoster(isolate: Isolate, text: string, key: string): Roster | "damaged" {
  try {
    return openRoster(text, key, isolate.rosters);
  } catch {
    return "damaged";
  }
}

async function ask(
  isolate: Isolate,
  scope: Scope,
  partition: number,
  want: string | null,
): Promise<QuestionAnswer> {
  const confirmation = isolate.confirmation(partition);
  const askedAt = isolate.now();
  const result = await scope.registry(partition).question({ since: confirmation.position, want });
  if (!result.ok) throw new Error(result.error.message);
  confirmation.fold(result.value, askedAt);
  return result.value;
}

/**
 * Brings a domain's manifest into memory, at least of number `need` if there is such a one: KV's, else the
 * Registry's. What is held is never replaced by something older.
 */
export function loadManifest(isolate: Isolate, scope: Scope, domain: string, need: number): Promise<void> {
  const readAt = isolate.memory.peek(domain)?.readAt ?? Number.NEGATIVE_INFINITY;
  return once(
    isolate,
    scope,
    `manifest ${domain}`,
    () => (isolate.memory.peek(domain)?.readAt ?? Number.NEGATIVE_INFINITY) > readAt,
    () => fetchManifest(isolate, scope, domain, need),
  );
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
  const manifest = openManifest(bytes, domain, isolate.keyFor);
  holdNewer(isolate, manifest, questionAt);
  if (manifest.generation < need) throw new Error(`no generation ${need} of ${domain} is to be had`);
}

async function readKvManifest(isolate: Isolate, scope: Scope, domain: string): Promise<Manifest | null> {
  try {
    const read = () => scope.kv.get(manifestKey(domain), SHORT_TTL);
    const bytes = await withPatience(isolate, read, KV_PATIENCE);
    return bytes === null ? null : openManifest(bytes, domain, isolate.keyFor);
  } catch (error) {
    if (error instanceof BudgetSpent) throw error;
    // Unreadable or damaged: the Registry may still have it whole.
    return null;
  }
}

function holdNewer(isolate: Isolate, manifest: Manifest, readAt: number): void {
  const held = isolate.memory.peek(manifest.domain)?.manifest;
  if (held === undefined || isNewer(manifest, held)) isolate.memory.hold(manifest, readAt);
}

/** Whether `a` may take the place of `b`: the Registry's go before an export's, then the later log, then number. */
function isNewer(a: Manifest, b: Manifest): boolean {
  if (a.origin !== b.origin) return a.origin === "registry";
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.generation >= b.generation;
}

/**
 * The number that a manifest counts for beside what a Registry's log says of its domain; -1 where that log
 * overrules it: an export where the Registry has a head, or a generation of an older log.
 */
export function numberOf(manifest: Manifest, incarnation: number, known: number | undefined): number {
  if (manifest.origin === "kv") return known === undefined ? manifest.generation : -1;
  return manifest.incarnation < incarnation ? -1 : manifest.generation;
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
  const isThere = (): boolean =>
    (table === "shards" ? held.shard(index) : held.departures(index)) !== undefined;
  return once(isolate, scope, blobName(held, table, index), isThere, async () => {
    const prove = (bytes: Uint8Array | null | undefined): Shard | Departures | null =>
      proveBlob(isolate, id, table, held.manifest[table].bits, bytes);
    const young = isolate.now() - held.manifest.time < YOUNG;
    let fromKv = await readKvBlob(isolate, scope, domain, id, young ? SHORT_TTL : LONG_TTL);
    // A null may be an old one, pinned by the long cacheTtl.
    if (fromKv === null && !young) fromKv = await readKvBlob(isolate, scope, domain, id, SHORT_TTL);
    const blob =
      prove(fromKv) ?? prove(await blobFromRegistry(isolate, scope, domain, id, fromKv !== undefined));
    if (blob === null) throw new Error(`blob ${id} of ${domain} is nowhere to be had`);
    isolate.memory.holdBlob(held, table, index, blob);
  });
}

/** Name under which the loading of a blob is known. */
export const blobName = (held: HeldManifest, table: "shards" | "departures", index: number): string =>
  `${table} ${held.manifest.domain} ${held.manifest.generation} ${index}`;

/** Bytes of a blob as KV has them, null where it has none, undefined where it cannot be read. */
async function readKvBlob(
  isolate: Isolate,
  scope: Scope,
  domain: string,
  id: string,
  cacheTtl: number,
): Promise<Uint8Array | null | undefined> {
  try {
    return await withPatience(isolate, () => scope.kv.get(blobKey(domain, id), cacheTtl), KV_PATIENCE);
  } catch (error) {
    if (error instanceof BudgetSpent) throw error;
    return undefined;
  }
}

async function blobFromRegistry(
  isolate: Isolate,
  scope: Scope,
  domain: string,
  id: string,
  isMissed: boolean,
): Promise<Uint8Array | null> {
  const result = await scope.registry(isolate.partitionOf(domain)).blob(domain, id, isMissed);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** Proves a blob: its bytes are named by their digest, and fit the table. Null where they do not. */
function proveBlob(
  isolate: Isolate,
  id: string,
  table: "shards" | "departures",
  bits: number,
  bytes: Uint8Array | null | undefined,
): Shard | Departures | null {
  if (!bytes || !equalBytes(isolate.ports.hashing.sha256(bytes), fromHex(id))) return null;
  try {
    const blob = table === "shards" ? decodeShard(bytes) : decodeDepartures(bytes);
    return blob.bits === bits ? blob : null;
  } catch {
    return null;
  }
}

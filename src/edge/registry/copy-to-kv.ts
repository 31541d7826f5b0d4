import { blobKey, encodeRoster, type Mac, manifestKey, rosterKey } from "../../directory/index.ts";
import { within } from "../patience.ts";
import type { Clock, KvStore, RegistryStorage, Timers } from "../ports.ts";
import { keepKey } from "./history.ts";
import { blobsOf, type Records } from "./records.ts";
import { getMeta, setMeta } from "./schema.ts";

/** KV takes one write a second to a key. */
const KEY_PAUSE = 1_100;
/**
 * The roster is put anew this often, so that its reader can tell that the Registry lives. In between only where
 * another domain is served or a token was revoked: what else changed, its reader asks the Registry for anyway, and one
 * changed mailbox is to cost no third write.
 */
const HEARTBEAT = 3_600_000;
/** A copy that readers still miss after this long was lost, and is made again. */
const LOST_AFTER = 300_000;
/** Operations of one run; the platform allows 1,000 an invocation. */
const OPERATIONS = 800;
/** Writes under way at once; the platform allows six connections. */
const AT_ONCE = 5;
/** A write that takes longer has failed: one that never ends must not end the copying. */
const PATIENCE = 20_000;
// Not sooner: what failed could not be tried again, and the failure would be forgotten.
const FIRST_RETRY = KEY_PAUSE;
const LAST_RETRY = 60_000;

/** What copying needs. */
export interface CopyContext {
  readonly storage: RegistryStorage;
  readonly records: Records;
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly rosterMac: Mac;
}

/**
 * Brings KV nearer to the heads: shards, then the manifest that names them, then the roster, then deletions.
 * Whatever fails is left for the next run; the caller asks {@link nextRun} when that is and never gives up.
 */
export async function copyToKv(context: CopyContext): Promise<void> {
  const { storage } = context;
  const patient = { ...context, kv: withPatience(context) };
  const budget = new Budget(OPERATIONS);
  let failed: unknown;
  for (const step of [copyHeads, copyRoster, deleteKeys]) {
    try {
      await step(patient, budget);
    } catch (error) {
      failed = error;
    }
  }
  // A run that wrote nothing, since the pauses of keys put it off, says nothing of what failed before it.
  if (failed === undefined && !budget.isTouched && pendingKeys(storage) > 0) return;
  const failures = failed === undefined ? 0 : (getMeta(storage, "kv_failures") ?? 0) + 1;
  setMeta(storage, "kv_failures", failures);
  setMeta(storage, "kv_error", failed === undefined ? "" : String(failed));
}

const withPatience = ({ kv, timers }: CopyContext): KvStore => ({
  ...kv,
  put: (key, value) => within(timers, PATIENCE, () => kv.put(key, value)),
  delete: (key) => within(timers, PATIENCE, () => kv.delete(key)),
});

/** When copying has to run again, Unix milliseconds. */
export function nextRun(storage: RegistryStorage, now: number): number {
  const failures = getMeta(storage, "kv_failures") ?? 0;
  if (failures > 0) return now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 10));
  if (pendingKeys(storage) > 0) return now + KEY_PAUSE;
  return Math.max(now + KEY_PAUSE, lastHeartbeat(storage) + HEARTBEAT);
}

/** The first roster comes with the first domain: until then there is nothing to tell. */
const lastHeartbeat = (storage: RegistryStorage): number =>
  getMeta(storage, "roster_time") ?? getMeta(storage, "incarnation") ?? 0;

const isRosterDue = (storage: RegistryStorage): boolean =>
  (getMeta(storage, "roster_number") ?? 0) < (getMeta(storage, "roster_due") ?? 0);

/** Keys that KV still lacks or has too many; shards not counted. */
export function pendingKeys(storage: RegistryStorage): number {
  const heads = storage.sql("SELECT count(*) AS n FROM heads WHERE kv_number < number")[0]?.n as number;
  const deletions = storage.sql("SELECT count(*) AS n FROM kv_deletions")[0]?.n as number;
  return heads + deletions + (isRosterDue(storage) ? 1 : 0);
}

/** A reader did not find a head in KV. If it was put there long enough ago, it is put there again. */
export function noteMissing(storage: RegistryStorage, domain: string, now: number): void {
  storage.sql(
    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number = number AND kv_time < ?",
    domain,
    now - LOST_AFTER,
  );
}

/**
 * A reader did not find a blob in KV. As with heads: if it is there as far as is known, and for long enough, it is
 * put there again, and its head behind it. Each blob has its own time (`in_kv`, 0 where it is not there), so that one
 * that is put again does not put off the others. Whether it is to be.
 */
export function noteMissingBlob(storage: RegistryStorage, domain: string, id: string, now: number): boolean {
  const lost = storage.sql(
    "SELECT id FROM blobs WHERE domain = ? AND id = ? AND in_kv > 0 AND in_kv < ? AND expires IS NULL",
    domain,
    id,
    now - LOST_AFTER,
  );
  if (lost.length === 0) return false;
  storage.sql("UPDATE blobs SET in_kv = 0 WHERE domain = ? AND id = ?", domain, id);
  storage.sql("UPDATE heads SET kv_number = 0 WHERE domain = ?", domain);
  return true;
}

class Budget {
  readonly #all: number;
  #left: number;

  constructor(operations: number) {
    this.#all = operations;
    this.#left = operations;
  }

  /** Whether anything was taken out of it. */
  get isTouched(): boolean {
    return this.#left < this.#all;
  }

  /** Takes operations out of the budget; false where not enough are left. */
  take(operations: number): boolean {
    if (operations > this.#left) return false;
    this.#left -= operations;
    return true;
  }
}

async function copyHeads(context: CopyContext, budget: Budget): Promise<void> {
  const { storage, clock } = context;
  const waiting = storage.sql(
    "SELECT domain FROM heads WHERE kv_number < number AND kv_time < ? ORDER BY kv_time, number LIMIT ?",
    clock.now() - KEY_PAUSE,
    OPERATIONS,
  );
  let failed: unknown;
  for (const row of waiting) {
    try {
      if (!(await copyHead(context, row.domain as string, budget))) break;
    } catch (error) {
      // One domain that cannot be copied must not keep the others waiting.
      failed = error;
    }
  }
  if (failed !== undefined) throw failed;
}

/** Copies one domain's head; false where the budget ended before it. */
async function copyHead(context: CopyContext, domain: string, budget: Budget): Promise<boolean> {
  const { storage, records, kv, clock } = context;
  const head = records.head(domain);
  if (head === null) return true;
  const ids = notInKv(storage, domain, blobsOf(head.manifest));
  if (ids.length > 0) noteTry(context, domain);
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    if (!budget.take(some.length)) return false;
    await Promise.all(some.map((id) => copyBlob(context, domain, id)));
  }
  if (!budget.take(1)) return false;
  noteTry(context, domain);
  keepKey(storage, manifestKey(domain));
  await kv.put(manifestKey(domain), head.manifest.bytes);
  // The head may have moved on meanwhile: only what was put is called copied.
  storage.sql(
    "UPDATE heads SET kv_number = max(kv_number, ?), kv_time = ? WHERE domain = ?",
    head.number,
    clock.now(),
    domain,
  );
  return true;
}

/** From here on the pause of a domain's keys counts, whatever comes of the write. */
function noteTry({ storage, clock }: CopyContext, domain: string): void {
  storage.sql("UPDATE heads SET kv_time = ? WHERE domain = ?", clock.now(), domain);
}

const notInKv = (storage: RegistryStorage, domain: string, ids: readonly string[]): string[] =>
  ids.filter(
    (id) => storage.sql("SELECT in_kv FROM blobs WHERE domain = ? AND id = ?", domain, id)[0]?.in_kv === 0,
  );

async function copyBlob(
  { storage, records, kv, clock }: CopyContext,
  domain: string,
  id: string,
): Promise<void> {
  const bytes = records.blob(domain, id);
  if (bytes === null) return;
  keepKey(storage, blobKey(domain, id));
  await kv.put(blobKey(domain, id), bytes);
  storage.sql("UPDATE blobs SET in_kv = ? WHERE domain = ? AND id = ?", clock.now(), domain, id);
}

async function copyRoster({ storage, kv, clock, rosterMac }: CopyContext, budget: Budget): Promise<void> {
  const number = getMeta(storage, "number") ?? 0;
  const now = clock.now();
  const isQuiet = !isRosterDue(storage) && now - lastHeartbeat(storage) < HEARTBEAT;
  // The pause counts from every try: what failed may have reached KV all the same.
  const tried = getMeta(storage, "roster_tried") ?? 0;
  if (now - tried < KEY_PAUSE || isQuiet || !budget.take(1)) return;
  const partition = String(getMeta(storage, "partition"));
  const heads = storage.sql("SELECT domain, number FROM heads ORDER BY domain");
  const roster = {
    partition,
    partitions: getMeta(storage, "partitions") as number,
    incarnation: getMeta(storage, "incarnation") as number,
    asOf: number,
    heartbeat: now,
    heads: Object.fromEntries(heads.map((row) => [row.domain as string, row.number as number])),
    revoked: storage.sql("SELECT id FROM revocations ORDER BY id").map((row) => row.id as string),
  };
  setMeta(storage, "roster_tried", now);
  try {
    await kv.put(rosterKey(partition), encodeRoster(roster, rosterMac));
  } finally {
    setMeta(storage, "roster_tried", clock.now());
  }
  setMeta(storage, "roster_number", number);
  setMeta(storage, "roster_time", clock.now());
}

async function deleteKeys({ storage, kv }: CopyContext, budget: Budget): Promise<void> {
  for (const row of storage.sql("SELECT key FROM kv_deletions LIMIT ?", OPERATIONS)) {
    if (!budget.take(1)) return;
    const key = row.key as string;
    await kv.delete(key);
    storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
  }
}

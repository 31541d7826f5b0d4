import {
  blobKey,
  blobsOf,
  encodeRoster,
  type Mac,
  type ManifestRecord,
  manifestKey,
  rosterKey,
} from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { Clock, KvStore, Timers } from "../../runtime/ports.ts";
import { withTimeout } from "../../runtime/timeout.ts";
import { Damage } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "../storage/meta.ts";
import { keepKey, PART_LACKS } from "./keys.ts";
import { affordableAt, isPatchedOnly, type KvBudget, payForWrite } from "./kv-budget.ts";
import {
  afterFailure,
  HEARTBEAT,
  isAnythingFailing,
  isRosterDue,
  KEY_PAUSE,
  LAST_RETRY,
  lastHeartbeat,
} from "./kv-pauses.ts";

/** Operations of one run on heads, and on deletions; the platform allows 1,000 per invocation. */
const HEAD_OPERATIONS = 700;
const OTHER_OPERATIONS = 100;
/** A run starts no head after this long: a write that hangs must not delay the roster and deletions. */
const HEAD_TIME = 60_000;
/** Concurrent writes; the platform allows six connections. */
const CONCURRENCY = 5;
/** A write that takes longer has failed: one that never ends must not stop the copying. */
const WRITE_TIMEOUT = 20_000;

/** What copying works with. */
export interface CopyContext {
  readonly storage: RegistryStorage;
  /** What is copied. @throws Damage */
  readonly records: {
    head(domain: string): { readonly number: number; readonly manifest: ManifestRecord } | null;
    blob(domain: string, id: string): Uint8Array;
  };
  readonly kv: KvStore;
  readonly kvWrites: KvBudget;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly rosterMac: Mac;
  /** Notes damage: it is not copied over what KV has. */
  readonly noteDamage: (damage: Damage) => void;
  /** Gives a number to heads that are lost: a reader of the roster would take their domains for not served. */
  readonly noteLostHeads: () => void;
}

/**
 * Copies to KV what it lacks: shards, then the manifest that names them, then the roster, then deletions. A key that
 * fails is tried again after a pause of its own, and delays no other. The caller schedules the next run in any case.
 */
export async function copyToKv(context: CopyContext): Promise<void> {
  const { storage, clock } = context;
  const limited = { ...context, kv: withWriteTimeout(context) };
  const steps = [
    () => copyHeads(limited, new Budget(HEAD_OPERATIONS, clock, clock.now() + HEAD_TIME)),
    () => copyRoster(limited),
    () => deleteKeys(limited),
  ];
  let failed: unknown;
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failed = error;
    }
  }
  // A key that failed before and waits for its next try still counts as failing.
  if (failed === undefined && isAnythingFailing(storage)) return;
  setMeta(storage, "kv_error", failed === undefined ? "" : messageOf(failed));
}

/** KV whose writes end in time, and name their key if they fail. */
function withWriteTimeout({ kv, timers }: CopyContext): KvStore {
  const write = async (key: string, work: () => Promise<void>): Promise<void> => {
    try {
      await withTimeout(timers, WRITE_TIMEOUT, work);
    } catch (error) {
      throw new Error(`${key}: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    ...kv,
    put: (key, value) => write(key, () => kv.put(key, value)),
    delete: (key) => write(key, () => kv.delete(key)),
  };
}

/** What is left of one run. */
class Budget {
  readonly #clock: Clock;
  readonly #until: number;
  #left: number;

  constructor(operations: number, clock: Clock, until: number) {
    this.#left = operations;
    this.#clock = clock;
    this.#until = until;
  }

  /** Takes operations out of the budget; false if there are too few, or the time is over. */
  take(operations: number): boolean {
    if (operations > this.#left || this.#clock.now() >= this.#until) return false;
    this.#left -= operations;
    return true;
  }
}

async function copyHeads(context: CopyContext, budget: Budget): Promise<void> {
  const { storage, clock } = context;
  const now = clock.now();
  const waiting = storage.sql(
    `SELECT domain FROM heads WHERE kv_number < number AND kv_time < ? AND coalesce(kv_next, 0) <= ?
     ORDER BY kv_time, number LIMIT ?`,
    now - KEY_PAUSE,
    now,
    HEAD_OPERATIONS,
  );
  let failed: unknown;
  for (const row of waiting) {
    const domain = row.domain as string;
    try {
      if (!(await copyHead(context, domain, budget))) break;
    } catch (error) {
      // A domain that cannot be copied must not delay the others.
      failed = error;
      if (error instanceof Damage) context.noteDamage(error);
      noteFailure(context, domain);
    }
  }
  if (failed !== undefined) throw failed;
}

/** Copies one domain's head; false if the budget did not suffice. */
async function copyHead(context: CopyContext, domain: string, budget: Budget): Promise<boolean> {
  const { storage, records, kv, clock } = context;
  const head = records.head(domain);
  if (head === null) return true;
  const ids = notInKv(storage, domain, blobsOf(head.manifest));
  const isPaced = isPatchedOnly(storage, domain);
  if (isPaced && isPutOff(context, domain, ids.length + 1)) return true;
  storage.sql("UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number = ?", domain, PART_LACKS);
  if (ids.length > 0) noteTry(context, domain);
  if (!(await copyBlobs(context, domain, ids, isPaced, budget)) || !budget.take(1)) return false;
  noteTry(context, domain);
  keepKey(storage, manifestKey(domain));
  await kv.put(manifestKey(domain), head.manifest.bytes);
  if (isPaced) payForWrite(storage, context.kvWrites, clock.now());
  // There may be a newer head by now: only the one that was written counts as copied, and not if a part is missed since.
  storage.sql(
    `UPDATE heads SET kv_number = iif(kv_number = ?, kv_number, max(kv_number, ?)), kv_time = ?, kv_failures = NULL,
     kv_next = NULL WHERE domain = ?`,
    PART_LACKS,
    head.number,
    clock.now(),
    domain,
  );
  return true;
}

/**
 * Waits with a copy of so many keys until the budget for single changes has them, and until copies that have waited longer were
 * made: otherwise many small ones would leave nothing for a large one.
 * @returns false if it can be made now
 */
function isPutOff({ storage, kvWrites, clock }: CopyContext, domain: string, keys: number): boolean {
  const older = storage.sql(
    `SELECT max(kv_next) AS due FROM heads WHERE kv_number < number AND kv_failures IS NULL
     AND kv_time < (SELECT kv_time FROM heads WHERE domain = ?)`,
    domain,
  )[0]?.due as number | null;
  const due = Math.max(affordableAt(storage, kvWrites, keys), older ?? 0);
  const now = clock.now();
  if (due <= now) return false;
  // Longer than any pause after a failure: it is the budget alone that a copy waits for then, also if it failed before.
  const isLong = due - now > LAST_RETRY;
  storage.sql(
    "UPDATE heads SET kv_next = ?, kv_failures = iif(?, NULL, kv_failures) WHERE domain = ?",
    Math.ceil(due),
    isLong ? 1 : 0,
    domain,
  );
  return true;
}

/** Copies blobs. If some fail, it copies the rest and then throws; false if the budget did not suffice. */
async function copyBlobs(
  context: CopyContext,
  domain: string,
  ids: readonly string[],
  isPaced: boolean,
  budget: Budget,
): Promise<boolean> {
  let failed: PromiseRejectedResult | undefined;
  for (let at = 0; at < ids.length; at += CONCURRENCY) {
    const some = ids.slice(at, at + CONCURRENCY);
    if (!budget.take(some.length)) {
      if (failed !== undefined) throw failed.reason;
      return false;
    }
    const ends = await Promise.allSettled(some.map((id) => copyBlob(context, domain, id, isPaced)));
    const failures = ends.filter((end) => end.status === "rejected");
    failed ??= failures[0];
    // If all of them fail, KV itself does.
    if (failures.length === some.length) break;
  }
  if (failed !== undefined) throw failed.reason;
  return true;
}

/** Sets a domain's next try, later after each failure in a row. */
function noteFailure({ storage, clock }: CopyContext, domain: string): void {
  const row = storage.sql("SELECT kv_failures FROM heads WHERE domain = ?", domain)[0];
  const { failures, next } = afterFailure(row?.kv_failures, clock.now());
  storage.sql("UPDATE heads SET kv_failures = ?, kv_next = ? WHERE domain = ?", failures, next, domain);
}

/** Starts the pause of a domain's keys, whether the write will succeed or not. */
function noteTry({ storage, clock }: CopyContext, domain: string): void {
  storage.sql("UPDATE heads SET kv_time = ? WHERE domain = ?", clock.now(), domain);
}

const notInKv = (storage: RegistryStorage, domain: string, ids: readonly string[]): string[] =>
  ids.filter(
    (id) => storage.sql("SELECT in_kv FROM blobs WHERE domain = ? AND id = ?", domain, id)[0]?.in_kv === 0,
  );

async function copyBlob(
  { storage, records, kv, kvWrites, clock }: CopyContext,
  domain: string,
  id: string,
  isPaced: boolean,
): Promise<void> {
  const bytes = records.blob(domain, id);
  keepKey(storage, blobKey(domain, id));
  await kv.put(blobKey(domain, id), bytes);
  if (isPaced) payForWrite(storage, kvWrites, clock.now());
  storage.sql("UPDATE blobs SET in_kv = ? WHERE domain = ? AND id = ?", clock.now(), domain, id);
}

async function copyRoster({ storage, kv, clock, rosterMac, noteLostHeads }: CopyContext): Promise<void> {
  const now = clock.now();
  const isQuiet = !isRosterDue(storage) && now - lastHeartbeat(storage) < HEARTBEAT;
  // The pause counts from every try: a write that failed may have reached KV all the same.
  const tried = getMeta(storage, "roster_tried") ?? 0;
  if (isQuiet || now - tried < KEY_PAUSE || now < (getMeta(storage, "roster_next") ?? 0)) return;
  const partition = String(getMeta(storage, "partition"));
  noteLostHeads();
  const number = getMeta(storage, "number") ?? 0;
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
  } catch (error) {
    const { failures, next } = afterFailure(getMeta(storage, "roster_failures"), clock.now());
    setMeta(storage, "roster_failures", failures);
    setMeta(storage, "roster_next", next);
    throw error;
  } finally {
    setMeta(storage, "roster_tried", clock.now());
  }
  if ((getMeta(storage, "roster_failures") ?? 0) > 0) {
    setMeta(storage, "roster_failures", 0);
    setMeta(storage, "roster_next", 0);
  }
  setMeta(storage, "roster_number", number);
  setMeta(storage, "roster_time", clock.now());
}

async function deleteKeys(context: CopyContext): Promise<void> {
  const { storage, clock } = context;
  const keys = storage
    .sql(
      "SELECT key FROM kv_deletions WHERE coalesce(next, 0) <= ? ORDER BY next, key LIMIT ?",
      clock.now(),
      OTHER_OPERATIONS,
    )
    .map((row) => row.key as string);
  let failed: PromiseRejectedResult | undefined;
  for (let at = 0; at < keys.length; at += CONCURRENCY) {
    const some = keys.slice(at, at + CONCURRENCY);
    const ends = await Promise.allSettled(some.map((key) => deleteKey(context, key)));
    failed ??= ends.find((end) => end.status === "rejected");
  }
  if (failed !== undefined) throw failed.reason;
}

async function deleteKey({ storage, kv, clock }: CopyContext, key: string): Promise<void> {
  try {
    await kv.delete(key);
  } catch (error) {
    const row = storage.sql("SELECT failures FROM kv_deletions WHERE key = ?", key)[0];
    const { failures, next } = afterFailure(row?.failures, clock.now());
    storage.sql("UPDATE kv_deletions SET failures = ?, next = ? WHERE key = ?", failures, next, key);
    throw error;
  }
  storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
}

/** When each key of KV may be written again: a pause after every write, and a longer one after each failure in a row. */

import { getMeta, setAlarmBy } from "./meta.ts";
import type { RegistryStorage, SqlValue } from "./ports.ts";

/** KV takes one write a second to a key. */
export const KEY_PAUSE = 1_100;
/**
 * The roster is put again this often, so that its reader can tell that the Registry lives. In between only where
 * another domain is served or a token was revoked: what else changed, its reader asks the Registry for anyway, and one
 * changed mailbox is to cost no third write.
 */
export const HEARTBEAT = 3_600_000;
// Not sooner: a key takes no second write by then.
const FIRST_RETRY = KEY_PAUSE;
const LAST_RETRY = 60_000;

/** How often a key has failed in a row after one more failure, and when it is tried again. */
export function afterFailure(
  before: SqlValue | undefined,
  now: number,
): { readonly failures: number; readonly next: number } {
  const failures = ((before as number | null | undefined) ?? 0) + 1;
  return { failures, next: now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 10)) };
}

/** Keys that KV still lacks or has too many; shards not counted. */
export function pendingKeys(storage: RegistryStorage): number {
  const heads = storage.sql("SELECT count(*) AS n FROM heads WHERE kv_number < number")[0]?.n as number;
  const deletions = storage.sql("SELECT count(*) AS n FROM kv_deletions")[0]?.n as number;
  return heads + deletions + (isRosterDue(storage) ? 1 : 0);
}

/** Whether any key failed when it was last tried. */
export const isAnythingFailing = (storage: RegistryStorage): boolean =>
  (getMeta(storage, "roster_failures") ?? 0) > 0 ||
  storage.sql("SELECT 1 FROM heads WHERE kv_number < number AND kv_failures > 0 LIMIT 1").length > 0 ||
  storage.sql("SELECT 1 FROM kv_deletions WHERE failures > 0 LIMIT 1").length > 0;

/** When copying has to run again, Unix milliseconds: as soon as any key may be written that has to be. */
export function nextRun(storage: RegistryStorage, now: number): number {
  const due = [
    storage.sql(
      "SELECT min(max(kv_time + ?, coalesce(kv_next, 0))) AS due FROM heads WHERE kv_number < number",
      KEY_PAUSE,
    )[0]?.due,
    storage.sql("SELECT min(coalesce(next, 0)) AS due FROM kv_deletions")[0]?.due,
    Math.max(
      isRosterDue(storage) ? (getMeta(storage, "roster_tried") ?? 0) : lastHeartbeat(storage) + HEARTBEAT,
      getMeta(storage, "roster_next") ?? 0,
    ),
  ].filter((time) => typeof time === "number");
  return Math.max(now + KEY_PAUSE, Math.min(...due));
}

/** The first roster comes with the first domain: until then there is nothing to tell. */
export const lastHeartbeat = (storage: RegistryStorage): number =>
  getMeta(storage, "roster_time") ?? getMeta(storage, "incarnation") ?? 0;

export const isRosterDue = (storage: RegistryStorage): boolean =>
  (getMeta(storage, "roster_number") ?? 0) < (getMeta(storage, "roster_due") ?? 0);

/** Sets the alarm for the next run of copying. */
export const scheduleCopy = (storage: RegistryStorage, now: number): void =>
  setAlarmBy(storage, nextRun(storage, now), now);

/** Runs a change in one transaction, and sets the alarm that copies it to KV. */
export const changeAndCopy = <T>(storage: RegistryStorage, now: number, work: () => T): T =>
  storage.transaction(() => {
    const result = work();
    if (pendingKeys(storage) > 0) scheduleCopy(storage, now);
    return result;
  });

/** When each key of KV is written next: after a pause, and after a longer one for each failure in a row. */

import type { RegistryStorage, SqlValue } from "../ports.ts";
import { getMeta, setAlarmBy } from "../storage/meta.ts";

/** KV accepts one write per second and key. */
export const KEY_PAUSE = 1_100;
/**
 * The roster is written this often, as a sign that the Registry lives. In between it is written only if another
 * domain is served or a token was revoked. Its readers ask the Registry for anything else, and one changed mailbox must
 * not cost a third write.
 */
export const HEARTBEAT = 3_600_000;
const FIRST_RETRY = KEY_PAUSE;
/** No pause after a failure is longer. */
export const LAST_RETRY = 60_000;

/** A key's failures in a row after one more, and the time of its next try. */
export function afterFailure(
  before: SqlValue | undefined,
  now: number,
): { readonly failures: number; readonly next: number } {
  const failures = ((before as number | null | undefined) ?? 0) + 1;
  return { failures, next: now + Math.min(LAST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 10)) };
}

/** Keys to write to KV or to delete there; shards not counted. */
export function pendingKeys(storage: RegistryStorage): number {
  const heads = storage.sql("SELECT count(*) AS n FROM heads WHERE kv_number < number")[0]?.n as number;
  const deletions = storage.sql("SELECT count(*) AS n FROM kv_deletions")[0]?.n as number;
  return heads + deletions + (isRosterDue(storage) ? 1 : 0);
}

/** Whether the last try of any key failed. */
export const isAnythingFailing = (storage: RegistryStorage): boolean =>
  (getMeta(storage, "roster_failures") ?? 0) > 0 ||
  storage.sql("SELECT 1 FROM heads WHERE kv_number < number AND kv_failures > 0 LIMIT 1").length > 0 ||
  storage.sql("SELECT 1 FROM kv_deletions WHERE failures > 0 LIMIT 1").length > 0;

/** When copying runs next, Unix milliseconds: as soon as the pause of any key is over. */
function nextRun(storage: RegistryStorage, now: number): number {
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

/** The first roster comes with the first domain: until then it would be empty. */
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

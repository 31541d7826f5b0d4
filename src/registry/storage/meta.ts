import type { RegistryStorage } from "../ports.ts";
import { replace } from "./rows.ts";

/** Single values of a Registry. Times are in Unix milliseconds. */
export interface Meta {
  /** Version of the schema; see schema.ts. */
  schema: number;
  /** When this Registry was initialised. Its log is identified by it. */
  incarnation: number;
  partition: number;
  partitions: number;
  /** The newest number of the log. */
  number: number;
  /** Newest number whose record was pruned: an isolate that knows less gets the whole list. */
  purged: number;
  /** `number` of the roster that KV holds, and when it was written. */
  roster_number: number;
  roster_time: number;
  /** Number of the newest change that the roster must show before its next heartbeat. */
  roster_due: number;
  /** When the roster was last written or failed to be. */
  roster_tried: number;
  /** Failures in a row, and the time of the next try. */
  roster_failures: number;
  roster_next: number;
  /** Why a key could not be written; empty if none fails. */
  kv_error: string;
  /** When the writes to KV for single changes have come back; see kv-budget.ts. */
  kv_paid: number;
  /** Every generation up to this number has a summary; the next two say how far the present pass has come. */
  summarised: number;
  summarising_number: number;
  summarising_domain: string;
  /** When the generations of single changes were last thinned. */
  thinned: number;
  /** When all heads were last verified, and how far the present pass has come; empty: none is under way. */
  verified: number;
  verifying: string;
  /** When revocations were last copied from the first partition. */
  revocations_taken: number;
  /** When the alarm is set to run; 0 while it runs. */
  alarm: number;
}

/** Reads one value; undefined if it was never set. */
export function getMeta<K extends keyof Meta>(storage: RegistryStorage, name: K): Meta[K] | undefined {
  return storage.sql("SELECT value FROM meta WHERE name = ?", name)[0]?.value as Meta[K] | undefined;
}

export function setMeta<K extends keyof Meta>(storage: RegistryStorage, name: K, value: Meta[K]): void {
  replace(storage, "meta", { name, value });
}

/** Allocates the next number of the log. Call it inside the transaction that uses the number. */
export function nextNumber(storage: RegistryStorage): number {
  const number = (getMeta(storage, "number") ?? 0) + 1;
  setMeta(storage, "number", number);
  return number;
}

/** An alarm later than this will not run any more. */
const ALARM_LATE = 60_000;

/** Sets the alarm to run at `time`, unless it runs before that anyway: a stream of changes must not postpone it. */
export function setAlarmBy(storage: RegistryStorage, time: number, now: number): void {
  const set = getMeta(storage, "alarm") ?? 0;
  if (set > now - ALARM_LATE && set <= time) return;
  setMeta(storage, "alarm", time);
  storage.setAlarm(time);
}

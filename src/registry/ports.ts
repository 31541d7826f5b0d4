/** What a Registry is handed: its storage, its settings, and the outside world. */
import type { Hashing } from "../directory/index.ts";
import type { Clock, Random, Timers } from "../runtime/ports.ts";

export type SqlValue = string | number | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The Registry's own storage: synchronous SQLite, and one alarm. */
export interface RegistryStorage {
  /** Runs one statement; `?` are bound in order. */
  sql(statement: string, ...bindings: SqlValue[]): SqlRow[];
  /** Runs `work` in one transaction: all of its writes hold, or, where it throws, none. */
  transaction<T>(work: () => T): T;
  /** Asks for one call of the alarm at `time`, Unix milliseconds, in place of any asked for before. */
  setAlarm(time: number): void;
}

export interface RegistryPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
}

/** What the operator set, as far as the Registry uses it. */
export interface RegistrySettings {
  readonly masterKey: Uint8Array;
  /** How long superseded generations can be rolled back to, milliseconds. */
  readonly history: number;
}

/** What a Registry gets from its host: storage, settings and the platform. */
import type { FaultKind } from "../api/index.ts";
import type { Hashing } from "../directory/index.ts";
import type { Clock, Timers } from "../runtime/ports.ts";

export type SqlValue = string | number | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The Registry's own storage: synchronous SQLite, and one alarm. */
export interface RegistryStorage {
  /** Runs one statement; `?` are bound in order. */
  sql(statement: string, ...bindings: SqlValue[]): SqlRow[];
  /** Runs `work` in one transaction. If it throws, none of its writes stay. */
  transaction<T>(work: () => T): T;
  /** Sets the alarm to run once at `time`, Unix milliseconds, instead of when it was set for before. */
  setAlarm(time: number): void;
  /** Octets that it takes; left out, that is not known. */
  size?(): number;
}

/** One line of the log, when the brake takes hold or cannot. It names no recipient. */
export interface BrakeLine {
  readonly event: "brake";
  readonly domain: string;
  readonly detail: string;
}

/** One line of the log. It names a domain that is served here, and never a recipient. */
export interface FaultLine {
  readonly event: "fault";
  readonly kind: FaultKind;
  readonly domain: string | null;
  readonly detail: string;
  /** Number of faults since the last line about them, this one included. */
  readonly count: number;
}

export interface RegistryPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly hashing: Hashing;
  /** The operator's log; by default nothing is logged. */
  readonly log?: (line: BrakeLine | FaultLine) => void;
}

/** The operator's settings that a Registry uses. */
export interface RegistrySettings {
  readonly masterKey: Uint8Array;
  /** How long superseded generations can be rolled back to, milliseconds. */
  readonly history: number;
  /** KV writes a day, of which the copies of single changes take half at most. */
  readonly kvWrites: number;
  /** Whether questions are refused, so that nothing is confirmed while the storage is being restored. */
  readonly paused: boolean;
}

/**
 * What the edge needs of its surroundings, handed in: the platform's own in production (platform.ts), a
 * simulated world under a virtual clock elsewhere.
 */
import type { FaultKind } from "../api/contract.ts";
import type { Hashing } from "../directory/index.ts";

/** Wall clock, Unix milliseconds. In a Worker it moves on only with I/O. */
export interface Clock {
  now(): number;
}

/** One sleep that may be called off. */
export interface Nap {
  /** Set by the sleep, where it can be called off: it never settles then. */
  cancel?: () => void;
}

export interface Timers {
  /**
   * Settles after `ms` milliseconds. The platform bounds the timers of a request, so whoever only races against
   * one hands in a nap and calls it off.
   */
  sleep(ms: number, nap?: Nap): Promise<void>;
}

export interface Random {
  /** `count` bytes of cryptographic quality. */
  bytes(count: number): Uint8Array;
}

/** Workers KV, as far as the edge uses it. Every method may fail, be slow, or tell of the past. */
export interface KvStore {
  /** Value of a key in bytes, null where it has none. `cacheTtl` in seconds. */
  get(key: string, cacheTtl: number): Promise<Uint8Array | null>;
  /** Texts of several keys in one operation. */
  getTexts(keys: readonly string[], cacheTtl: number): Promise<ReadonlyMap<string, string | null>>;
  put(key: string, value: Uint8Array | string): Promise<void>;
  delete(key: string): Promise<void>;
}

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

/** One line of the log. It names a domain that is served here, and never a recipient. */
export interface FaultLine {
  readonly event: "fault";
  readonly kind: FaultKind;
  readonly domain: string | null;
  readonly detail: string;
  /** Times that it was met since the last line about it, this one included. */
  readonly count: number;
}

/** The ports that every part of the edge shares. */
export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
  /** The operator's log; where there is none, nothing is written. */
  readonly log?: (line: FaultLine) => void;
}

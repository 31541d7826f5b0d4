/** Ports of every host: clock, timers, randomness and KV. The simulation has its own. */

/** Wall clock, Unix milliseconds. In a Worker it moves on only with I/O. */
export interface Clock {
  now(): number;
}

/** Cancels one sleep. */
export interface Nap {
  /** Set by the sleep where it can be cancelled; the sleep then never settles. */
  cancel?: () => void;
}

export interface Timers {
  /**
   * Settles after `ms` milliseconds. The platform limits the timers of a request, so a timeout that is no longer
   * needed is cancelled with `nap`.
   */
  sleep(ms: number, nap?: Nap): Promise<void>;
}

export interface Random {
  /** `count` cryptographically random bytes. */
  bytes(count: number): Uint8Array;
}

/** Workers KV, as far as the edge uses it. Every method may fail, be slow, or return old data. */
export interface KvStore {
  /** Value of a key in bytes, null if it has none. `cacheTtl` in seconds. */
  get(key: string, cacheTtl: number): Promise<Uint8Array | null>;
  /** Texts of several keys in one operation. */
  getTexts(keys: readonly string[], cacheTtl: number): Promise<ReadonlyMap<string, string | null>>;
  put(key: string, value: Uint8Array | string): Promise<void>;
  delete(key: string): Promise<void>;
}

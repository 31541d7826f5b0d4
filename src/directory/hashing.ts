/** HMAC-SHA-256 under one prepared key: message in, 32 bytes out. */
export type Mac = (message: Uint8Array) => Uint8Array;

/**
 * The cryptography that the directory needs, as a port.
 *
 * Synchronous, because a check that has its data in memory must not yield, and because the simulation replays it step
 * by step.
 */
export interface Hashing {
  /** SHA-256 of `data`, 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** Prepares HMAC-SHA-256 under `key`, so that the key's state is computed once. */
  hmac(key: Uint8Array): Mac;
}

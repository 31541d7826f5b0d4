import { hash, SHA256 } from "@stablelib/sha256";
import type { Hashing, Mac } from "./hashing.ts";

const BLOCK = 64;

/** One for all keys: its buffers are three kilobytes a key otherwise, and many domains have many keys. */
const hasher = new SHA256();
const scratch = new Uint8Array(32);

/** The hash's state after one block of the padded key (RFC 2104 §4): thirty-two octets are all that a key keeps. */
const keyed = (pad: Uint8Array, by: number) =>
  hasher
    .reset()
    .update(pad.map((octet) => octet ^ by))
    .saveState();

/**
 * {@link Hashing} by @stablelib: synchronous, the same in workerd and in Node. It keeps a hash's state in typed
 * arrays, so that V8 computes on whole numbers in workerd too, where a field holds no more than 31 bits of one.
 */
export const stablelibHashing: Hashing = {
  sha256: (data) => hash(data),
  /** HMAC (RFC 2104): the hash of the outer key and the hash of the inner key and the message. */
  hmac(key): Mac {
    const pad = new Uint8Array(BLOCK);
    pad.set(key.length > BLOCK ? hash(key) : key);
    const inner = keyed(pad, 0x36);
    const outer = keyed(pad, 0x5c);
    return (message) => {
      hasher.restoreState(inner).update(message).finish(scratch);
      hasher.restoreState(outer).update(scratch).finish(scratch);
      return scratch.slice();
    };
  },
};

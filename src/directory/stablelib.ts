import { hash, SHA256 } from "@stablelib/sha256";
import type { Hashing, Mac } from "./hashing.ts";

const BLOCK = 64;

/** One for all keys. Its buffers take three kilobytes, too much for each key of each domain. */
const hasher = new SHA256();
const scratch = new Uint8Array(32);

/** The hash's state after one block of the padded key (RFC 2104 §4): 32 octets, all that is stored per key. */
const keyed = (pad: Uint8Array, by: number) =>
  hasher
    .reset()
    .update(pad.map((octet) => octet ^ by))
    .saveState();

/**
 * {@link Hashing} with @stablelib: synchronous, and the same in workerd and in Node. It keeps a hash's state in typed
 * arrays, so that V8 uses integer arithmetic in workerd too, where a field holds at most 31 bits of an integer.
 */
export const stablelibHashing: Hashing = {
  sha256: (data) => hash(data),
  /** HMAC (RFC 2104): hash(outer key, hash(inner key, message)). */
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

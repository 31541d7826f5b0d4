import { HMAC } from "@stablelib/hmac";
import { hash, SHA256 } from "@stablelib/sha256";
import type { Hashing, Mac } from "./hashing.ts";

/**
 * {@link Hashing} by @stablelib: synchronous, the same in workerd and in Node. It keeps a hash's state in typed
 * arrays, so that V8 computes on whole numbers in workerd too, where a field holds no more than 31 bits of one.
 */
export const stablelibHashing: Hashing = {
  sha256: (data) => hash(data),
  hmac(key): Mac {
    const keyed = new HMAC(SHA256, key);
    // A third less time than into a fresh array, which is given a buffer only when a view of it is made.
    const out = new Uint8Array(keyed.digestLength);
    return (message) => {
      keyed.reset().update(message).finish(out);
      return out.slice();
    };
  },
};

/** The platform's clock, timers, randomness and KV as ports. No other file of the edge uses them. */
import { stablelibHashing } from "../directory/stablelib.ts";
import type { KvStore } from "../runtime/ports.ts";
import type { Ports } from "./ports.ts";

export const platformPorts: Ports = {
  clock: { now: () => Date.now() },
  timers: {
    sleep: (ms, nap) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        if (nap !== undefined) nap.cancel = () => clearTimeout(timer);
      }),
  },
  random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
  hashing: stablelibHashing,
  log: (line) => console.error(JSON.stringify(line)),
};

/** The shortest cacheTtl that KV accepts, seconds. Older documentation says 60. */
const SHORTEST_TTL = 30;
const FALLBACK_TTL = 60;

let shortestTtl = SHORTEST_TTL;

/** The shortest cacheTtl that KV has accepted so far. */
export const acceptedCacheTtl = (): number => shortestTtl;

/** KV as a port. If KV refuses the shortest cacheTtl, the older minimum is used from then on. */
export function platformKv(namespace: KVNamespace): KvStore {
  const read = async <T>(cacheTtl: number, get: (cacheTtl: number) => Promise<T>): Promise<T> => {
    try {
      return await get(Math.max(cacheTtl, shortestTtl));
    } catch (error) {
      if (shortestTtl === FALLBACK_TTL || !/cache_?ttl/i.test(String(error))) throw error;
      shortestTtl = FALLBACK_TTL;
      return get(Math.max(cacheTtl, shortestTtl));
    }
  };
  return {
    async get(key, cacheTtl) {
      const value = await read(cacheTtl, (ttl) => namespace.get(key, { type: "arrayBuffer", cacheTtl: ttl }));
      return value === null ? null : new Uint8Array(value);
    },
    getTexts: (keys, cacheTtl) =>
      read(cacheTtl, (ttl) => namespace.get([...keys], { type: "text", cacheTtl: ttl })),
    put: (key, value) => namespace.put(key, value),
    delete: (key) => namespace.delete(key),
  };
}

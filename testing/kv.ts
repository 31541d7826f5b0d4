/**
 * Workers KV with all that makes it hard: a write shows at each location after a delay of its own, reads are cached
 * for the cacheTtl that they asked for, absences too, and any operation may fail, hang, be slow, lost or late.
 */
import type { KvStore } from "../src/runtime/ports.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One operation, as faults and watchers see it. */
export interface KvOperation {
  readonly kind: "get" | "put" | "delete";
  /** More than one if texts are read in bulk. */
  readonly keys: readonly string[];
  readonly location: string;
  /** The name of the caller. */
  readonly caller: string;
}

export type KvFault =
  /** Fails; a write is not made. */
  | { readonly kind: "error"; readonly message?: string }
  /** Never answers; a write is not made. */
  | { readonly kind: "hang" }
  /** Answers, and takes effect, after so many milliseconds. */
  | { readonly kind: "slow"; readonly ms: number }
  /** A write that is acknowledged and never made. */
  | { readonly kind: "lost" }
  /** A write that is acknowledged at once and made after so many milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** A write that is made again after so many milliseconds. */
  | { readonly kind: "repeated"; readonly ms: number }
  /** A read whose bytes come out otherwise. */
  | { readonly kind: "damaged"; damage(bytes: Uint8Array): Uint8Array | null }
  /** A read to which each write shows after another delay than to all others. */
  | { readonly kind: "flaps"; delay(key: string, write: number): number };

/** Learns what happens to keys. */
export interface KvWatcher {
  /** A reader received a value, or learnt that there is none. */
  read(operation: KvOperation, key: string, value: Uint8Array | null): void;
  /** A write begins. */
  writing(key: string, value: Uint8Array | null): void;
  /** A write was acknowledged, made or not. */
  acknowledged(key: string, value: Uint8Array | null): void;
  /** A write was made. */
  written(key: string, value: Uint8Array | null): void;
}

interface Version {
  readonly value: Uint8Array | null;
  readonly time: number;
  /** Counts writes to all keys. */
  readonly write: number;
}

interface Cached {
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly cacheTtl: number;
}

/** What an operation takes if nothing is wrong, milliseconds. */
const LATENCY = 5;
/** KV takes one write a second to a key. */
const WRITE_PAUSE = 1_000;
const MAX_KEY = 512;
const MAX_VALUE = 25 * 1024 * 1024;
/** Keys of one bulk read. */
const MAX_BULK = 100;
/** Seconds. */
const SHORTEST_CACHE_TTL = 30;

export class FakeKv {
  readonly #clock: VirtualTime;
  readonly #watcher: KvWatcher | null;
  readonly #versions = new Map<string, Version[]>();
  readonly #caches = new Map<string, Map<string, Cached>>();
  readonly #lastWrite = new Map<string, number>();
  #writes = 0;

  /** Milliseconds until a write to a key shows at a location. */
  propagation: (location: string, key: string, write: number) => number = () => 0;
  /** What goes wrong with an operation. */
  fault: (operation: KvOperation) => KvFault | undefined = () => undefined;
  latency: () => number = () => LATENCY;
  /** The caller went past a limit of the platform. */
  limit: (words: string) => void = (words) => {
    throw new Error(words);
  };
  /** A write came within a second of another to its key; it fails too. */
  tooFastWrite: (words: string) => void = () => undefined;
  /** Every operation that was started. */
  readonly operations: (KvOperation & { readonly time: number })[] = [];
  /** Writes that came within a second of another to their key. */
  tooFast = 0;

  constructor(clock: VirtualTime, watcher: KvWatcher | null = null) {
    this.#clock = clock;
    this.#watcher = watcher;
  }

  /** KV as a caller sees it from one location. */
  at(location: string, caller: string = location): KvStore {
    const write = (kind: "put" | "delete", key: string, value: Uint8Array | null): Promise<void> =>
      this.#write({ kind, keys: [key], location, caller }, key, value);
    const read = (keys: readonly string[], cacheTtl: number): Promise<(Uint8Array | null)[]> =>
      this.#read({ kind: "get", keys, location, caller }, cacheTtl);
    return {
      get: async (key, cacheTtl) => (await read([key], cacheTtl))[0] ?? null,
      getTexts: async (keys, cacheTtl) => {
        const values = await read(keys, cacheTtl);
        return new Map(keys.map((key, i) => [key, textOf(values[i] ?? null)]));
      },
      put: (key, value) => write("put", key, bytesOf(value)),
      delete: (key) => write("delete", key, null),
    };
  }

  /** The newest bytes of a key, wherever they show. */
  newest(key: string): Uint8Array | null {
    return this.#versions.get(key)?.at(-1)?.value ?? null;
  }

  /** Keys that have a value, in order. */
  keys(): string[] {
    return [...this.#versions.keys()].filter((key) => this.newest(key) !== null).sort();
  }

  /** Whether a key has had a value for so long, in all its versions. */
  hasHadFor(key: string, ms: number): boolean {
    const versions = this.#versions.get(key) ?? [];
    const since = this.#clock.now() - ms;
    return versions.some(({ time }) => time < since) && versions.every(({ value }) => value !== null);
  }

  /** Sets a key everywhere at once, past all caches: what somebody else did, or what broke. */
  set(key: string, value: Uint8Array | string | null): void {
    this.#versions.set(key, []);
    for (const cache of this.#caches.values()) cache.delete(key);
    this.#put(key, value === null ? null : bytesOf(value), Number.NEGATIVE_INFINITY);
  }

  /** Writes a key as `wrangler kv bulk put` does: it shows everywhere in its own time. */
  bulkPut(key: string, value: Uint8Array | null): void {
    this.#put(key, value);
  }

  async #read(operation: KvOperation, cacheTtl: number): Promise<(Uint8Array | null)[]> {
    const { keys, location } = operation;
    if (!(cacheTtl >= SHORTEST_CACHE_TTL)) this.limit(`a KV read with cacheTtl ${cacheTtl}`);
    if (keys.length > MAX_BULK) this.limit(`a bulk read of ${keys.length} keys`);
    const fault = await this.#begin(operation);
    return keys.map((key) => {
      const value = this.#view(location, key, cacheTtl, fault?.kind === "flaps" ? fault.delay : null);
      this.#watcher?.read(operation, key, value);
      return fault?.kind === "damaged" && value !== null ? fault.damage(value.slice()) : value;
    });
  }

  async #write(operation: KvOperation, key: string, value: Uint8Array | null): Promise<void> {
    if (bytesOf(key).length > MAX_KEY) this.limit(`a key longer than ${MAX_KEY}`);
    if ((value?.length ?? 0) > MAX_VALUE) this.limit(`a value of ${value?.length} bytes`);
    const now = this.#clock.now();
    const since = now - (this.#lastWrite.get(key) ?? Number.NEGATIVE_INFINITY);
    this.#lastWrite.set(key, now);
    const isTooFast = since < WRITE_PAUSE;
    if (isTooFast) {
      this.tooFast++;
      this.tooFastWrite(`two writes to ${key} within ${since} ms`);
    }
    this.#watcher?.writing(key, value);
    const fault = await this.#begin(operation);
    if (isTooFast) throw new Error("KV: 429 too many writes to one key");
    this.#watcher?.acknowledged(key, value);
    if (fault?.kind === "lost") return;
    if (fault?.kind !== "late") this.#put(key, value);
    if (fault?.kind === "late" || fault?.kind === "repeated")
      this.#clock.after(fault.ms, () => this.#put(key, value));
  }

  async #begin(operation: KvOperation): Promise<KvFault | undefined> {
    this.operations.push({ ...operation, time: this.#clock.now() });
    const fault = this.fault(operation);
    if (fault?.kind === "hang") return new Promise(() => undefined);
    await this.#clock.sleep(fault?.kind === "slow" ? fault.ms : this.latency());
    if (fault?.kind === "error") throw new Error(fault.message ?? `KV: ${operation.kind} failed`);
    return fault;
  }

  #put(key: string, value: Uint8Array | null, time = this.#clock.now()): void {
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(key, versions);
    versions.push({ value, time, write: this.#writes++ });
    this.#watcher?.written(key, value);
  }

  #view(
    location: string,
    key: string,
    cacheTtl: number,
    delayOf: ((key: string, write: number) => number) | null,
  ): Uint8Array | null {
    const cache = this.#caches.get(location) ?? new Map<string, Cached>();
    this.#caches.set(location, cache);
    const now = this.#clock.now();
    const cached = cache.get(key);
    if (cached !== undefined && now - cached.time < 1000 * Math.min(cached.cacheTtl, cacheTtl))
      return cached.value;
    const delay = delayOf ?? ((of: string, write: number) => this.propagation(location, of, write));
    const shown = this.#versions.get(key)?.findLast(({ time, write }) => time + delay(key, write) <= now);
    const value = shown?.value ?? null;
    cache.set(key, { value, time: now, cacheTtl });
    return value;
  }
}

const bytesOf = (value: Uint8Array | string): Uint8Array =>
  typeof value === "string" ? new TextEncoder().encode(value) : value.slice();

const textOf = (value: Uint8Array | null): string | null =>
  value === null ? null : new TextDecoder().decode(value);

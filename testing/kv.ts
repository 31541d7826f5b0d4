import type { KvStore } from "../src/runtime/ports.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One operation on KV, as faults are told of it. */
export interface KvOperation {
  readonly kind: "get" | "put" | "delete";
  /** More than one where texts are read in bulk. */
  readonly keys: readonly string[];
  readonly location: string;
}

export type KvFault =
  /** Fails; a write is not made. */
  | { readonly kind: "error" }
  /** Never answers; a write is not made. */
  | { readonly kind: "hang" }
  /** Answers, and takes effect, after so many milliseconds. */
  | { readonly kind: "slow"; readonly ms: number }
  /** A write that is acknowledged and never made. */
  | { readonly kind: "lost" }
  /** A write that is acknowledged at once and made after so many milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** A read whose bytes come out otherwise. */
  | { readonly kind: "damaged"; damage(bytes: Uint8Array): Uint8Array | null };

interface Version {
  readonly value: Uint8Array | null;
  readonly time: number;
}

interface Cached {
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly cacheTtl: number;
}

/** What an operation takes where nothing is wrong, milliseconds. */
const LATENCY = 5;
/** KV takes one write a second to a key. */
const WRITE_PAUSE = 1_000;
/** Keys of one bulk read. */
const MAX_BULK = 100;

/**
 * Workers KV with all that makes it hard: what was written at one place shows at another after a while, reads are
 * cached for as long as they asked for, absences too, and anything may fail, hang or be slow.
 */
export class FakeKv {
  readonly #clock: VirtualTime;
  readonly #versions = new Map<string, Version[]>();
  readonly #caches = new Map<string, Map<string, Cached>>();
  readonly #lastWrite = new Map<string, number>();

  /** Milliseconds until a write to a key shows at a location. */
  propagation: (location: string, key: string) => number = () => 0;
  /** What goes wrong with an operation. */
  fault: (operation: KvOperation) => KvFault | undefined = () => undefined;
  /** Every operation that was begun. */
  readonly operations: (KvOperation & { readonly time: number })[] = [];
  /** Writes that came within a second of another to their key. */
  tooFast = 0;

  constructor(clock: VirtualTime) {
    this.#clock = clock;
  }

  /** KV as it is seen from one location. */
  at(location: string): KvStore {
    return {
      get: async (key, cacheTtl) => (await this.#read(location, [key], cacheTtl))[0] ?? null,
      getTexts: async (keys, cacheTtl) => {
        if (keys.length > MAX_BULK) throw new Error(`bulk read of ${keys.length} keys`);
        const values = await this.#read(location, keys, cacheTtl);
        return new Map(keys.map((key, i) => [key, textOf(values[i] ?? null)]));
      },
      put: (key, value) => this.#write("put", location, key, bytesOf(value)),
      delete: (key) => this.#write("delete", location, key, null),
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

  /** Sets a key everywhere at once, past all caches: what somebody else did, or what broke. */
  set(key: string, value: Uint8Array | string | null): void {
    this.#versions.set(key, [
      { value: value === null ? null : bytesOf(value), time: Number.NEGATIVE_INFINITY },
    ]);
    for (const cache of this.#caches.values()) cache.delete(key);
  }

  async #read(location: string, keys: readonly string[], cacheTtl: number): Promise<(Uint8Array | null)[]> {
    if (cacheTtl < 30) throw new Error(`cacheTtl of ${cacheTtl} s`);
    const fault = await this.#begin("get", location, keys);
    return keys.map((key) => {
      const value = this.#view(location, key, cacheTtl);
      return fault?.kind === "damaged" && value !== null ? fault.damage(value.slice()) : value;
    });
  }

  async #write(
    kind: "put" | "delete",
    location: string,
    key: string,
    value: Uint8Array | null,
  ): Promise<void> {
    const last = this.#lastWrite.get(key) ?? Number.NEGATIVE_INFINITY;
    const now = this.#clock.now();
    if (now - last < WRITE_PAUSE) this.tooFast++;
    this.#lastWrite.set(key, now);
    const fault = await this.#begin(kind, location, [key]);
    if (now - last < WRITE_PAUSE) throw new Error("KV: 429 too many writes to one key");
    if (fault?.kind === "lost") return;
    if (fault?.kind === "late") this.#clock.at(this.#clock.now() + fault.ms, () => this.#put(key, value));
    else this.#put(key, value);
  }

  async #begin(
    kind: KvOperation["kind"],
    location: string,
    keys: readonly string[],
  ): Promise<KvFault | undefined> {
    const operation = { kind, keys, location };
    this.operations.push({ ...operation, time: this.#clock.now() });
    const fault = this.fault(operation);
    if (fault?.kind === "hang") return new Promise(() => undefined);
    await this.#clock.sleep(fault?.kind === "slow" ? fault.ms : LATENCY);
    if (fault?.kind === "error") throw new Error(`KV: ${kind} failed`);
    return fault;
  }

  #put(key: string, value: Uint8Array | null): void {
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(key, versions);
    versions.push({ value, time: this.#clock.now() });
  }

  #view(location: string, key: string, cacheTtl: number): Uint8Array | null {
    const cache = this.#caches.get(location) ?? new Map<string, Cached>();
    this.#caches.set(location, cache);
    const now = this.#clock.now();
    const cached = cache.get(key);
    if (cached !== undefined && now - cached.time < 1000 * Math.min(cached.cacheTtl, cacheTtl)) {
      return cached.value;
    }
    const shown = (this.#versions.get(key) ?? []).filter(
      ({ time }) => time + this.propagation(location, key) <= now,
    );
    const value = shown.at(-1)?.value ?? null;
    cache.set(key, { value, time: now, cacheTtl });
    return value;
  }
}

const bytesOf = (value: Uint8Array | string): Uint8Array =>
  typeof value === "string" ? new TextEncoder().encode(value) : value.slice();

const textOf = (value: Uint8Array | null): string | null =>
  value === null ? null : new TextDecoder().decode(value);

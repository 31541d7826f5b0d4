/**
 * Workers KV, as bad as it may be: each write shows at each location after a delay of its own, up to three
 * minutes; reads are cached for the cacheTtl that they asked for, absences too; writes may be lost, late, repeated
 * or refused, and anything may fail, hang, or be slow.
 */

import type { KvStore } from "../../src/runtime/ports.ts";
import { hash } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { FaultKind } from "../basics/faults.ts";
import { LATE, PROPAGATION } from "../basics/limits.ts";
import type { Faults, Met } from "./faults.ts";

/** Longest time that a Registry has a read cached. */
const LONGEST_CACHED = 60_000;
/** KV takes one write a second to a key. */
const WRITE_PAUSE = 1_000;
const MAX_KEY = 512;
const MAX_VALUE = 25 * 1024 * 1024;
const MAX_BULK = 100;

interface Version {
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly number: number;
}

interface Cached {
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly cacheTtl: number;
}

/** Who is told of what happens. */
export interface KvWatcher {
  /** A reader met a fault. */
  readerHurt(reader: string): void;
  /** A reader got a text or bytes, or learnt that there are none. */
  read(reader: string, key: string, value: Uint8Array | null): void;
  /** A write begins. */
  writing(key: string, value: Uint8Array | null): void;
  /** A write was acknowledged, made or not. */
  acknowledged(key: string, value: Uint8Array | null): void;
  written(key: string, value: Uint8Array | null): void;
  trace(words: () => string): void;
  violation(assertion: string, words: string): void;
}

const isRead = (kind: FaultKind): boolean => kind.startsWith("kv read");
const isWrite = (kind: FaultKind): boolean => kind.startsWith("kv write");

export class SimulatedKv {
  readonly #seed: number;
  readonly #time: VirtualTime;
  readonly #faults: Faults;
  readonly #watcher: KvWatcher;
  readonly #versions = new Map<string, Version[]>();
  readonly #caches = new Map<string, Map<string, Cached>>();
  readonly #lastWrite = new Map<string, number>();
  #numbers = 0;
  #reads = 0;
  /** Whether two writes to one key within a second are the writer's fault: not right after it was restarted. */
  writerIsSteady: () => boolean = () => true;

  constructor(seed: number, time: VirtualTime, faults: Faults, watcher: KvWatcher) {
    this.#seed = seed;
    this.#time = time;
    this.#faults = faults;
    this.#watcher = watcher;
  }

  /** KV as one reader sees it from a location. */
  at(location: string, reader: string): KvStore {
    return {
      get: async (key, cacheTtl) => (await this.#get(location, reader, [key], cacheTtl))[0] ?? null,
      getTexts: async (keys, cacheTtl) => {
        const values = await this.#get(location, reader, keys, cacheTtl);
        return new Map(keys.map((key, i) => [key, textOf(values[i] ?? null)]));
      },
      put: (key, value) => this.#write(location, key, bytesOf(value)),
      delete: (key) => this.#write(location, key, null),
    };
  }

  /** The newest bytes of a key, wherever they show. */
  newest(key: string): Uint8Array | null {
    return this.#versions.get(key)?.at(-1)?.value ?? null;
  }

  /** Whether every location has a value of a key to show. */
  isShown(key: string): boolean {
    const versions = this.#versions.get(key) ?? [];
    const shown = versions.filter(({ time }) => time + PROPAGATION + LONGEST_CACHED < this.#time.now());
    return shown.length > 0 && versions.every(({ value }) => value !== null);
  }

  /** What somebody writes past the Registry, as `wrangler kv bulk put` does. */
  bulkPut(key: string, value: Uint8Array | null): void {
    this.#put(key, value);
  }

  async #get(
    location: string,
    reader: string,
    keys: readonly string[],
    cacheTtl: number,
  ): Promise<(Uint8Array | null)[]> {
    const { violation } = this.#watcher;
    if (!(cacheTtl >= 30)) violation("platform limits", `a KV read with cacheTtl ${cacheTtl}`);
    if (keys.length > MAX_BULK) violation("platform limits", `a bulk read of ${keys.length} keys`);
    const met = this.#faults.meet(this.#time.now(), location, isRead);
    const flaps = met?.kind === "kv read flaps";
    if (met !== null && !flaps) {
      this.#watcher.readerHurt(reader);
      this.#watcher.trace(() => `${met.kind}: ${keys.join(", ")} at ${location}, asked by ${reader}`);
    }
    await this.#take(met);
    if (met?.kind === "kv read error") throw new Error("KV: read failed");
    if (met?.kind === "kv read 429") throw new Error("KV: 429 too many requests");
    return keys.map((key) => {
      const value = this.#view(location, key, cacheTtl, flaps);
      this.#watcher.read(reader, key, value);
      return met?.kind === "kv read damaged" && value !== null ? damaged(value, met.size) : value;
    });
  }

  async #take(met: Met | null): Promise<void> {
    if (met?.kind.endsWith("hangs")) return new Promise(() => undefined);
    await this.#time.sleep(met?.kind.endsWith("slow") ? 200 + met.size * 6_000 : 3 + (this.#reads++ % 5));
  }

  async #write(location: string, key: string, value: Uint8Array | null): Promise<void> {
    const { violation } = this.#watcher;
    const now = this.#time.now();
    if (new TextEncoder().encode(key).length > MAX_KEY)
      violation("platform limits", `a key longer than ${MAX_KEY}`);
    if ((value?.length ?? 0) > MAX_VALUE) violation("platform limits", `a value of ${value?.length} bytes`);
    const last = this.#lastWrite.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#lastWrite.set(key, now);
    const tooFast = now - last < WRITE_PAUSE;
    if (tooFast && this.writerIsSteady()) {
      violation("platform limits", `two writes to ${key} within ${now - last} ms`);
    }
    this.#watcher.writing(key, value);
    const met = this.#faults.meet(now, location, isWrite);
    if (met !== null) this.#watcher.trace(() => `${met.kind}: ${key}`);
    await this.#take(met);
    if (tooFast || met?.kind === "kv write 429") throw new Error("KV: 429 too many writes to one key");
    if (met?.kind === "kv write error") throw new Error("KV: write failed");
    this.#watcher.acknowledged(key, value);
    if (met?.kind === "kv write lost") return;
    if (met?.kind !== "kv write late") this.#put(key, value);
    if (met?.kind === "kv write late" || met?.kind === "kv write repeated") {
      this.#time.after(met.size * LATE, () => this.#put(key, value));
    }
  }

  #put(key: string, value: Uint8Array | null): void {
    let versions = this.#versions.get(key);
    if (versions === undefined) {
      versions = [];
      this.#versions.set(key, versions);
    }
    const now = this.#time.now();
    // What shows everywhere for long needs no memory of what was before.
    while (versions.length > 1 && (versions[1] as Version).time + 2 * PROPAGATION < now) versions.shift();
    versions.push({ value, time: now, number: this.#numbers++ });
    this.#watcher.written(key, value);
  }

  #view(location: string, key: string, cacheTtl: number, flaps: boolean): Uint8Array | null {
    let cache = this.#caches.get(location);
    if (cache === undefined) {
      cache = new Map();
      this.#caches.set(location, cache);
    }
    const now = this.#time.now();
    const cached = cache.get(key);
    if (cached !== undefined && now - cached.time < 1000 * Math.min(cached.cacheTtl, cacheTtl))
      return cached.value;
    const versions = this.#versions.get(key) ?? [];
    let value: Uint8Array | null = null;
    for (const version of versions) {
      if (version.time + this.#delay(location, key, version, flaps) <= now) value = version.value;
    }
    cache.set(key, { value, time: now, cacheTtl });
    return value;
  }

  /** Most writes show soon, many late, some very late; where it flaps, each read may be otherwise. */
  #delay(location: string, key: string, { number }: Version, flaps: boolean): number {
    const salt = flaps ? this.#reads++ : -1;
    const share = hash(this.#seed, location, key, number, salt) / 2 ** 32;
    if (share < 0.3) return 0;
    return share < 0.7 ? PROPAGATION * (share - 0.3) : PROPAGATION * (share - 0.7) * (1 / 0.3);
  }
}

function damaged(value: Uint8Array, size: number): Uint8Array {
  const copy = value.slice();
  const at = Math.floor(size * copy.length);
  if (at < copy.length) copy[at] = (copy[at] as number) ^ 0x5a;
  return copy;
}

const bytesOf = (value: Uint8Array | string): Uint8Array =>
  typeof value === "string" ? new TextEncoder().encode(value) : value.slice();

const textOf = (value: Uint8Array | null): string | null =>
  value === null ? null : new TextDecoder().decode(value);

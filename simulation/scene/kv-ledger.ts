/** What was put into KV and read from it: for the judges, and for the story. */
import { blobIds, blobKey, type DomainKey, openManifest } from "../../src/directory/index.ts";
import type { KvOperation, KvWatcher } from "../../testing/kv.ts";
import { manifestOf } from "../basics/keys.ts";
import { getOrMake } from "../basics/maps.ts";
import type { Generation } from "../model/generation.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";

export interface KvLedgerParts {
  readonly isTracing: boolean;
  now(): number;
  keyFor(domain: string, epoch: number): DomainKey;
  /** The isolate of a name, if the reader is one. */
  isolate(name: string): SimulatedIsolate | undefined;
  /** An isolate got what a key has for it, or learnt that it has nothing. */
  isolateRead(host: SimulatedIsolate, key: string, value: Uint8Array | null): void;
  /** The Registry's write of a manifest was acknowledged. */
  copied(domain: string, number: number): void;
  /** Something happened that is counted. */
  met(event: string): void;
  trace(words: () => string): void;
  violation(assertion: string, words: string): void;
}

/** A manifest as it was put into KV. */
interface Write {
  readonly time: number;
  /** That of the Registry which made it; 0 for a deletion. */
  readonly incarnation: number;
  readonly number: number;
}

export class KvLedger implements KvWatcher {
  readonly #parts: KvLedgerParts;
  readonly #writes = new Map<string, Write[]>();
  /** Keys whose writing was acknowledged. */
  readonly #inKv = new Set<string>();

  constructor(parts: KvLedgerParts) {
    this.#parts = parts;
  }

  read({ caller: reader }: KvOperation, key: string, value: Uint8Array | null): void {
    if (this.#parts.isTracing) this.#traceRead(reader, key, value);
    const host = this.#parts.isolate(reader);
    if (host === undefined) return;
    this.#parts.isolateRead(host, key, value);
    if (value === null || !key.startsWith("roster/") || key === "roster/kv") return;
    const text = new TextDecoder().decode(value);
    const { heartbeat } = JSON.parse(text.slice(text.indexOf("\n") + 1)) as { heartbeat: number };
    host.noteEvidence(Number(key.slice("roster/".length)), heartbeat);
  }

  /** A manifest is put only when all that it names was. */
  writing(key: string, value: Uint8Array | null): void {
    const domain = manifestOf(key);
    if (value === null || domain === null) return;
    const { shards, departures, generation } = openManifest(value, domain, this.#parts.keyFor);
    const lacking = [...blobIds(shards), ...blobIds(departures)].filter(
      (id) => !this.#inKv.has(blobKey(domain, id)),
    );
    if (lacking.length === 0) return;
    this.#parts.violation(
      "shards before their manifest",
      `KV is given ${domain} ${generation} before ${lacking[0]}`,
    );
  }

  acknowledged(key: string, value: Uint8Array | null): void {
    if (value === null) {
      this.#inKv.delete(key);
      return;
    }
    this.#inKv.add(key);
    const domain = manifestOf(key);
    if (domain === null) return;
    this.#parts.copied(domain, openManifest(value, domain, this.#parts.keyFor).generation);
  }

  written(key: string, value: Uint8Array | null): void {
    const domain = manifestOf(key);
    if (domain === null) return;
    const manifest = value === null ? null : openManifest(value, domain, this.#parts.keyFor);
    const number = manifest?.generation ?? -1;
    const incarnation = manifest?.incarnation ?? 0;
    const write = { time: this.#parts.now(), incarnation, number };
    getOrMake(this.#writes, domain, (): Write[] => []).push(write);
    if (manifest !== null && manifest.departures.inline === null && manifest.departures.count > 0)
      this.#parts.met("departures in blobs of their own");
    this.#parts.trace(() => `KV takes ${key}: ${value === null ? "nothing" : `generation ${number}`}`);
  }

  /** Since when KV has had something newer than a generation without a break; infinity if it has not. */
  newerSince({ domain, number, since: made, until }: Generation): number {
    const writes = this.#writes.get(domain) ?? [];
    let since = Number.POSITIVE_INFINITY;
    for (let i = writes.length - 1; i >= 0; i--) {
      const write = writes[i] as Write;
      // A Registry that was initialised after the generation has another log, which is newer.
      const isNewer = write.incarnation > made || (write.number > number && write.time >= until);
      if (!isNewer) break;
      since = write.time;
    }
    return since;
  }

  #traceRead(reader: string, key: string, value: Uint8Array | null): void {
    const what = (): string => {
      if (value === null) return "nothing";
      const domain = manifestOf(key);
      if (domain !== null) return `generation ${openManifest(value, domain, this.#parts.keyFor).generation}`;
      if (!key.startsWith("roster/")) return `${value.length} bytes`;
      return `as of ${/"asOf":(\d+)/.exec(new TextDecoder().decode(value))?.[1]}`;
    };
    this.#parts.trace(() => `${reader} reads ${key}: ${what()}`);
  }
}

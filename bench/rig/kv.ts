/** KV as the benchmark has it: rig/kv-worker.js in a process of its own, and what it tells through its side door. */
import { join } from "node:path";
import { root, type Served, serveScript } from "./workerd.ts";

/** Numbers by the first part of the key: `domain`, `shard`, `roster`, `mailbox`. */
export type ByKind = Readonly<Record<string, number>>;

/** What was asked of KV since the last reset, and what it holds. A bulk read counts each of its keys. */
export interface KvCounts {
  readonly reads: ByKind;
  /** Reads that are over; with a delay, what somebody has waited for. */
  readonly answered: ByKind;
  readonly writes: ByKind;
  readonly deletes: ByKind;
  readonly keys: ByKind;
  /** Of the values. */
  readonly bytes: ByKind;
}

export class Kv {
  readonly origin: string;
  readonly #served: Served | null;

  /** @param served what ends with it; null where it belongs to another process */
  constructor(origin: string, served: Served | null = null) {
    this.origin = origin;
    this.#served = served;
  }

  static async serve(): Promise<Kv> {
    const served = await serveScript(join(root, "bench/rig/kv-worker.js"));
    return new Kv(served.origin, served);
  }

  async counts(): Promise<KvCounts> {
    return (await (await this.#ask("counts")).json()) as KvCounts;
  }

  /** Counts begin anew; values stay. */
  async reset(): Promise<void> {
    await this.#ask("reset");
  }

  /** From now on each read takes this long. */
  async delay(ms: number): Promise<void> {
    await this.#ask(`delay?ms=${ms}`);
  }

  /** Puts a key for each of the names user0, user1, ... of a domain. */
  async fill(count: number, domain: string): Promise<void> {
    await this.#ask(`fill?count=${count}&domain=${domain}`);
  }

  async stop(): Promise<void> {
    await this.#served?.stop();
  }

  async #ask(what: string): Promise<Response> {
    const response = await fetch(`${this.origin}/bench/${what}`);
    if (!response.ok) throw new Error(`KV's side door answers ${response.status} to ${what}`);
    return response;
  }
}

export const total = (byKind: ByKind): number => Object.values(byKind).reduce((sum, count) => sum + count, 0);

/** As figures behind a measurement: `reads of shard`. */
export const figures = (what: string, byKind: ByKind): Record<string, number> =>
  Object.fromEntries(Object.entries(byKind).map(([kind, count]) => [`${what} of ${kind}`, count]));

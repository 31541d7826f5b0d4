/** One isolate of a world: its clock moves on only with I/O, and it may die while it waits. */

import type { Question as LogQuestion, QuestionAnswer, Result } from "../../src/api/index.ts";
import { type Answer, blobKey } from "../../src/directory/index.ts";
import type { Settings } from "../../src/edge/environment.ts";
import type { Ports } from "../../src/edge/ports.ts";
import type { RegistryApi } from "../../src/registry/protocol.ts";
import type { KvStore } from "../../src/runtime/ports.ts";
import type { Faults } from "../../testing/faults.ts";
import type { Caller } from "../../testing/faulty-registry.ts";
import { IsolateHost, type Question } from "../../testing/isolate-host.ts";
import { LONGEST_COMPUTING } from "../../testing/limits.ts";
import { registryApi } from "../../testing/registry-host.ts";
import type { Release } from "../../testing/releases.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { Exchange, JudgedIsolate, Moment } from "../model/answerer.ts";

export interface IsolateParts {
  readonly name: string;
  readonly location: string;
  readonly time: VirtualTime;
  readonly ports: Ports;
  readonly settings: Settings;
  /** Which code it runs; the next release asks with more words. */
  readonly release: Release;
  readonly faults: Faults;
  /** Milliseconds by which its clock differs from the world's. */
  readonly skew: number;
  readonly kv: KvStore;
  registry(partition: number, caller: Caller): RegistryApi;
  /** A Registry answered a call of it. */
  answered(
    host: SimulatedIsolate,
    method: keyof RegistryApi,
    args: readonly unknown[],
    result: unknown,
  ): void;
  violation(assertion: string, words: string): void;
  trace(words: () => string): void;
}

/** `GET /v1/domains/{domain}` */
const SHOW = /\/v1\/domains\/[^/]+$/;
/** `GET /v1/domains/{domain}/shards/{id}` */
const SHARD = /\/v1\/domains\/([^/]+)\/shards\/([0-9a-f]+)$/;

export class SimulatedIsolate implements JudgedIsolate {
  readonly kind = "isolate";
  readonly name: string;
  readonly location: string;
  readonly settings: Settings;
  readonly bornAt: number;
  readonly #parts: IsolateParts;
  readonly #host: IsolateHost;
  #clock: number;
  readonly #watchers = new Set<() => void>();
  isAlive = true;
  /** When a fault last met an operation of its. */
  hurtAt = Number.NEGATIVE_INFINITY;
  hurts = 0;
  #exchanges: ReadonlyMap<number, Exchange> = new Map<number, Exchange>();
  #evidence: ReadonlyMap<number, number> = new Map<number, number>();
  /** When it was first seen to answer about a partition. */
  readonly firstAsked = new Map<number, number>();
  kvReads = 0;
  /** Times that somebody had it show a domain: it reads KV's manifest for that, whatever it knows. */
  shows = 0;
  readonly #readsForPublishers = new Map<string, number>();
  questions = 0;
  /** Times that it was visited by traffic. */
  bursts = 0;
  readonly published = new Map<string, { readonly number: number; readonly at: number }>();
  readonly answered = new Map<string, number>();

  constructor(parts: IsolateParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.location = parts.location;
    this.settings = parts.settings;
    this.bornAt = parts.time.now();
    this.#clock = this.bornAt + parts.skew;
    this.#host = new IsolateHost({
      clock: parts.time,
      settings: parts.settings,
      ports: {
        ...parts.ports,
        clock: { now: () => this.#clock },
        timers: { sleep: (ms, nap) => this.#resumed(parts.time.sleep(ms, nap)) },
      },
      kv: this.#kv(parts.kv),
      registry: (partition) => this.#registry(partition),
    });
    this.#host.violation = (words) => parts.violation("platform limits", `${this.name}: ${words}`);
  }

  /** What its clock shows. */
  now(): number {
    return this.#clock;
  }

  /** What is known of it at this moment. */
  moment(): Moment {
    return {
      time: this.#parts.time.now(),
      clock: this.#clock,
      hurtAt: this.hurtAt,
      exchanges: this.#exchanges,
      evidence: this.#evidence,
      answered: this.answered,
    };
  }

  /**
   * Does work in which it decides more than once.
   * @returns what came of it, and all moments at which it may have decided
   */
  async watched<T>(work: () => T | Promise<T>): Promise<{ readonly result: T; readonly moments: Moment[] }> {
    // Its answers come out in another order than they were decided in: what was before it is what is sure.
    const answered = new Map(this.answered);
    const moments: Moment[] = [];
    const watch = (): void => void moments.push({ ...this.moment(), answered });
    watch();
    this.#watchers.add(watch);
    try {
      const result = await work();
      watch();
      return { result, moments };
    } finally {
      this.#watchers.delete(watch);
    }
  }

  /** Whether it reads a blob for a publisher now: from KV, whatever its checks hold. */
  readsForPublisher(blob: string): boolean {
    return (this.#readsForPublishers.get(blob) ?? 0) > 0;
  }

  die(): void {
    this.isAlive = false;
  }

  hurt(): void {
    this.hurtAt = this.#parts.time.now();
    this.hurts++;
  }

  noteEvidence(partition: number, time: number): void {
    const last = this.#evidence.get(partition) ?? Number.NEGATIVE_INFINITY;
    if (time > last) this.#evidence = new Map(this.#evidence).set(partition, time);
  }

  /** A request over HTTP. It never settles if the isolate dies meanwhile. */
  async fetch(request: Request): Promise<{ readonly response: Response; readonly moments: Moment[] }> {
    this.#tick();
    if (request.method === "GET" && SHOW.test(request.url)) this.shows++;
    const [, domain, id] = (request.method === "GET" && SHARD.exec(request.url)) || [];
    const blob = domain === undefined || id === undefined ? null : blobKey(domain, id);
    const count = (by: number): void => {
      if (blob !== null) this.#readsForPublishers.set(blob, (this.#readsForPublishers.get(blob) ?? 0) + by);
    };
    count(1);
    const { result, moments } = await this.watched(() => this.#host.fetch(request));
    count(-1);
    return this.isAlive ? { response: result, moments } : new Promise(() => undefined);
  }

  /** One check that does not come through HTTP. */
  check(question: Question): Answer | Promise<Answer> {
    this.#tick();
    return this.#host.answer(question);
  }

  /** A list of checks in one request; they are decided one after the other. */
  checkAll(
    questions: readonly Question[],
  ): Promise<{ readonly result: Answer[]; readonly moments: Moment[] }> {
    this.#tick();
    return this.watched(() => this.#host.answers(questions));
  }

  #tick(): void {
    this.#clock = Math.max(this.#clock, this.#parts.time.now() + this.#parts.skew);
  }

  #kv(kv: KvStore): KvStore {
    const read = <T>(operation: Promise<T>): Promise<T> => {
      this.kvReads++;
      return this.#resumed(operation);
    };
    return {
      get: (key, ttl) => read(kv.get(key, ttl)),
      getTexts: (keys, ttl) => read(kv.getTexts(keys, ttl)),
      put: (key, value) => this.#resumed(kv.put(key, value)),
      delete: (key) => this.#resumed(kv.delete(key)),
    };
  }

  #registry(partition: number): RegistryApi {
    const { time, release } = this.#parts;
    const api = this.#parts.registry(partition, { name: this.name, location: this.location, release });
    return registryApi(async (method, args) => {
      const sentAt = time.now();
      // It passes on what a replica asks, and learns nothing from the answer.
      const isItsOwn = method !== "question" || (args[0] as LogQuestion).replica === undefined;
      if (method === "question" && isItsOwn) this.questions++;
      const call = api[method] as (...args: readonly unknown[]) => Promise<unknown>;
      const result = await this.#resumed(call(...args));
      if ((method !== "question" && method !== "blob") || !isItsOwn) return result;
      this.#parts.answered(this, method, args, result);
      if (method === "blob") return result;
      this.#noteExchange(partition, sentAt, args[0] as LogQuestion, result as Result<QuestionAnswer>);
      for (const watch of this.#watchers) watch();
      return result;
    });
  }

  #noteExchange(
    partition: number,
    sentAt: number,
    { since }: LogQuestion,
    result: Result<QuestionAnswer>,
  ): void {
    this.#parts.trace(() =>
      result.ok
        ? `${this.name} learns from Registry ${partition}, asked ${this.#parts.time.now() - sentAt} ms ago: as of ${result.value.asOf}, heads ${JSON.stringify(result.value.heads)}`
        : `${this.name} learns from Registry ${partition}: ${result.error.message}`,
    );
    if (!result.ok) {
      // A Registry that says that it cannot answer is one that cannot be asked.
      this.hurtAt = this.#parts.time.now();
      return;
    }
    this.noteEvidence(partition, sentAt);
    // All of it was asked for, and it was too much: nothing was told.
    if (since === null && !result.value.full) return;
    const last = this.#exchanges.get(partition);
    if (last !== undefined && last.sentAt >= sentAt) return;
    const exchange = { sentAt, arrivedAt: this.#parts.time.now() };
    this.#exchanges = new Map(this.#exchanges).set(partition, exchange);
  }

  /** Continues after an operation: the clock moves then, and computing may take time. */
  async #resumed<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } finally {
      await this.#resume();
    }
  }

  async #resume(): Promise<void> {
    if (!this.isAlive) return new Promise(() => undefined);
    this.#tick();
    const { faults, time, location } = this.#parts;
    const met = faults.meet(time.now(), location, (kind) => kind === "isolate computes long");
    if (met !== null) await time.sleep(met.size * LONGEST_COMPUTING);
    if (!this.isAlive) return new Promise(() => undefined);
    for (const watch of this.#watchers) watch();
  }
}

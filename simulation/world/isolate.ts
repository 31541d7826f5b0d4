/** One isolate somewhere: the real edge, called as the platform calls it, with a clock that moves on only with I/O. */
import type { Answer } from "../../src/directory/index.ts";
import { check, queryOf } from "../../src/edge/check.ts";
import type { Settings } from "../../src/edge/environment.ts";
import { Isolate } from "../../src/edge/isolate.ts";
import type { KvStore, Ports } from "../../src/edge/ports.ts";
import type { QuestionAnswer, RegistryApi, Result } from "../../src/edge/registry/protocol.ts";
import { makeScope, type Scope } from "../../src/edge/scope.ts";
import { Edge, type Surroundings } from "../../src/edge/serve.ts";
import { Meter } from "../../test/world/meter.ts";
import type { Faults } from "./faults.ts";
import type { Caller } from "./registry.ts";
import type { Time } from "./time.ts";

/** Longest time that an isolate computes before it gets to an answer that has come, milliseconds. */
export const LONGEST_COMPUTING = 50;

export interface IsolateParts {
  readonly name: string;
  readonly location: string;
  readonly time: Time;
  readonly ports: Ports;
  readonly settings: Settings;
  readonly faults: Faults;
  /** Milliseconds by which its clock differs from the world's. */
  readonly skew: number;
  readonly kv: KvStore;
  registry(partition: number, caller: Caller): RegistryApi;
  violation(assertion: string, words: string): void;
  trace(words: () => string): void;
}

/** An exchange with a Registry that came to its end: what the isolate may know since. */
export interface Exchange {
  readonly sentAt: number;
  readonly arrivedAt: number;
  readonly asOf: number;
}

export class SimulatedIsolate {
  readonly name: string;
  readonly location: string;
  readonly settings: Settings;
  readonly bornAt: number;
  readonly isolate: Isolate;
  readonly #parts: IsolateParts;
  readonly #edge: Edge;
  #clock: number;
  isAlive = true;
  /** When a fault last met an operation of its. */
  hurtAt = Number.NEGATIVE_INFINITY;
  hurts = 0;
  /** The latest question that was answered, by partition. */
  readonly exchanges = new Map<number, Exchange>();
  /** Newest sign of life that was shown to it of each Registry. */
  readonly evidence = new Map<number, number>();
  /** When it was first seen to answer about a partition. */
  readonly firstAsked = new Map<number, number>();
  kvReads = 0;
  questions = 0;
  registryCalls = 0;
  /** Times that it was visited by traffic. */
  bursts = 0;
  /** Changes that went through it and were acknowledged, by domain. */
  readonly published = new Map<string, number>();
  /** Highest generation that it answered from, by domain and origin. */
  readonly answered = new Map<string, number>();

  constructor(parts: IsolateParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.location = parts.location;
    this.settings = parts.settings;
    this.bornAt = parts.time.now();
    this.#clock = this.bornAt + parts.skew;
    const ports: Ports = {
      ...parts.ports,
      clock: { now: () => this.#clock },
      timers: { sleep: (ms, nap) => this.#resumed(parts.time.sleep(ms, nap)) },
    };
    this.isolate = new Isolate(parts.settings, ports);
    this.#edge = new Edge(this.isolate);
  }

  /** What its clock shows. */
  now(): number {
    return this.#clock;
  }

  die(): void {
    this.isAlive = false;
  }

  hurt(): void {
    this.hurtAt = this.#parts.time.now();
    this.hurts++;
  }

  noteEvidence(partition: number, time: number): void {
    this.evidence.set(partition, Math.max(time, this.evidence.get(partition) ?? Number.NEGATIVE_INFINITY));
  }

  /** A request through HTTP. Nothing comes of it where the isolate dies meanwhile. */
  async fetch(request: Request): Promise<Response> {
    this.#tick();
    const response = await this.#edge.handle(request, this.#surroundings());
    return this.isAlive ? response : new Promise(() => undefined);
  }

  /** A scope for checks that do not come through HTTP: one as each request has. */
  scope(): Scope {
    this.#tick();
    return makeScope({ ...this.#surroundings(), clock: { now: () => this.#clock } });
  }

  /** One check within a scope, through the same door as the route. */
  check(scope: Scope, text: string, floors?: Readonly<Record<string, number>>): Answer | Promise<Answer> {
    return check(this.isolate, scope, queryOf(text, floors));
  }

  #tick(): void {
    this.#clock = Math.max(this.#clock, this.#parts.time.now() + this.#parts.skew);
  }

  #surroundings(): Surroundings {
    const meter = new Meter();
    const { kv, violation } = this.#parts;
    const count = async <T>(kind: "kv" | "registry", operation: () => Promise<T>): Promise<T> => {
      const before = meter.violations.length;
      try {
        return await this.#resumed(meter.count(kind, operation));
      } finally {
        for (const words of meter.violations.slice(before))
          violation("platform limits", `${this.name}: ${words}`);
      }
    };
    const read = <T>(operation: () => Promise<T>): Promise<T> => {
      this.kvReads++;
      return count("kv", operation);
    };
    return {
      kv: {
        get: (key, ttl) => read(() => kv.get(key, ttl)),
        getTexts: (keys, ttl) => read(() => kv.getTexts(keys, ttl)),
        put: (key, value) => count("kv", () => kv.put(key, value)),
        delete: (key) => count("kv", () => kv.delete(key)),
      },
      registry: (partition) => this.#registry(partition, count),
      background: (work) => void work.catch(() => undefined),
      kvCacheTtl: () => 30,
    };
  }

  #registry(
    partition: number,
    count: <T>(kind: "registry", operation: () => Promise<T>) => Promise<T>,
  ): RegistryApi {
    const { time } = this.#parts;
    const api = this.#parts.registry(partition, {
      name: this.name,
      location: this.location,
      hurt: () => this.hurt(),
      isAlive: () => this.isAlive,
    });
    return new Proxy(api, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => {
          const sentAt = time.now();
          this.registryCalls++;
          if (name === "question") this.questions++;
          return count("registry", async () => {
            const result = await method(...args);
            if (name === "question") this.#noteExchange(partition, sentAt, result as Result<QuestionAnswer>);
            return result;
          });
        };
      },
    });
  }

  #noteExchange(partition: number, sentAt: number, result: Result<QuestionAnswer>): void {
    this.#parts.trace(() =>
      result.ok
        ? `${this.name} learns from Registry ${partition}, asked ${this.#parts.time.now() - sentAt} ms ago: as of ${result.value.asOf}, heads ${JSON.stringify(result.value.heads)}`
        : `${this.name} learns from Registry ${partition}: ${result.error.message}`,
    );
    if (!result.ok) return;
    this.noteEvidence(partition, sentAt);
    const last = this.exchanges.get(partition);
    if (last !== undefined && last.sentAt >= sentAt) return;
    const { asOf } = result.value;
    this.exchanges.set(partition, { sentAt, arrivedAt: this.#parts.time.now(), asOf });
  }

  /** Goes on when an operation has ended: the clock moves on then, and computing may come in between. */
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
  }
}

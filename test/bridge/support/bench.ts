import { AnswerCache } from "../../../src/bridge/answers/cache.ts";
import { MinGenerations } from "../../../src/bridge/answers/min-generations.ts";
import { Resolver } from "../../../src/bridge/answers/resolver.ts";
import type { Breaker, BreakerState } from "../../../src/bridge/edge-source/breaker.ts";
import { EdgeSource } from "../../../src/bridge/edge-source/edge-source.ts";
import { ClientError, type Outcome } from "../../../src/client/index.ts";
import type { Answer } from "../../../src/directory/index.ts";
import { VirtualTime } from "./virtual-time.ts";

/** What the edge was asked. */
export interface Asked {
  readonly recipient: string;
  readonly domain: string;
  readonly minGeneration: number;
}

type Said = Answer | ClientError;

export const DAY = 86_400_000;
export const TIMEOUT = 3_000;
export const ACCEPT_GRACE = 7 * DAY;

/** No connection: what a client sees of an edge that is away. */
export const away = (): ClientError => new ClientError("unreachable", "connection refused");

/** A resolver under virtual time, and an edge that says what a test wants. */
export class Bench {
  readonly time = new VirtualTime();
  readonly asked: Asked[] = [];
  /** How many recipients there were in each request. */
  readonly requests: number[] = [];
  readonly states: BreakerState[] = [];
  readonly faults: unknown[] = [];
  /** Domains whose state was forgotten, and the newer log. */
  readonly newLogs: [domain: string, incarnation: number][] = [];
  readonly minGenerations = new MinGenerations();
  readonly cache: AnswerCache;
  readonly breaker: Breaker;
  readonly resolver: Resolver;
  /** Milliseconds until the edge answers. */
  latency = 0;
  /** What the edge says. */
  edge: (asked: Asked) => Said | Promise<Said>;

  constructor(
    edge: Bench["edge"],
    {
      cacheBytes = 1_000_000,
      width = 64,
      waiting = 1_000,
      failures = 5,
      requests = 64,
      acceptGrace = ACCEPT_GRACE,
    } = {},
  ) {
    this.edge = edge;
    this.cache = new AnswerCache(cacheBytes, this.minGenerations);
    const source = new EdgeSource({
      ports: this.time,
      ask: (recipients, domain, minGeneration) => {
        this.requests.push(recipients.length);
        return Promise.all(recipients.map((recipient) => this.#ask({ recipient, domain, minGeneration })));
      },
      timeout: TIMEOUT,
      maxQuestions: width,
      maxWaiting: waiting,
      maxRequests: requests,
      failures,
      observer: {
        requested: () => undefined,
        asked: () => undefined,
        breakerChanged: (state) => this.states.push(state),
      },
    });
    this.breaker = source.breaker;
    this.resolver = new Resolver({
      ports: this.time,
      source,
      cache: this.cache,
      minGenerations: this.minGenerations,
      timeout: TIMEOUT,
      acceptGrace,
      newLog: (domain, incarnation) => this.newLogs.push([domain, incarnation]),
      fault: (error) => this.faults.push(error),
    });
  }

  /** The answer, and how long it took in virtual milliseconds; time moves on as far as it needs. */
  async resolve(
    recipient: string,
  ): Promise<{ verdict: string; action: string; source: string; took: number }> {
    const from = this.time.clock.now();
    const resolved = Promise.resolve(this.resolver.resolve(recipient));
    let settled = false;
    void resolved.then(() => {
      settled = true;
    });
    await this.time.advance(0);
    for (let i = 0; i < 1_000 && !settled; i++) await this.time.advance(10);
    const { answer, source } = await resolved;
    const { verdict, action } = answer;
    return { verdict, action, source, took: this.time.clock.now() - from };
  }

  async #ask(asked: Asked): Promise<Outcome> {
    this.asked.push(asked);
    const { recipient } = asked;
    // Taken when the question comes in: an answer that is late is about then.
    const said = await this.edge(asked);
    if (this.latency > 0) await this.time.timers.sleep(this.latency);
    return said instanceof ClientError
      ? { kind: "none", recipient, why: said }
      : { kind: "answer", recipient, answer: said };
  }
}

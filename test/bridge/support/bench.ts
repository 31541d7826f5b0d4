import { Batcher } from "../../../src/bridge/batcher.ts";
import { Breaker, type BreakerState } from "../../../src/bridge/breaker.ts";
import { AnswerCache } from "../../../src/bridge/cache.ts";
import { Floors } from "../../../src/bridge/floors.ts";
import { Resolver } from "../../../src/bridge/resolver.ts";
import { ClientError, type Outcome } from "../../../src/client/index.ts";
import type { Answer } from "../../../src/directory/index.ts";
import { Semaphore } from "../../../src/runtime/semaphore.ts";
import { VirtualTime } from "./virtual-time.ts";

/** What the edge was asked. */
export interface Asked {
  readonly recipient: string;
  readonly domain: string;
  readonly floor: number;
}

type Said = Answer | ClientError;

export const DAY = 86_400_000;
export const BUDGET = 3_000;
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
  /** Domains of which what was seen was forgotten, and the newer log. */
  readonly startedOver: [domain: string, incarnation: number][] = [];
  readonly floors = new Floors();
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
    this.cache = new AnswerCache(cacheBytes, this.floors);
    this.breaker = new Breaker(this.time, {
      failures,
      longestPause: 1_000,
      onChange: (state) => this.states.push(state),
    });
    this.resolver = new Resolver({
      ports: this.time,
      batcher: new Batcher((recipients, domain, floor) => {
        this.requests.push(recipients.length);
        return Promise.all(recipients.map((recipient) => this.#ask({ recipient, domain, floor })));
      }, requests),
      cache: this.cache,
      floors: this.floors,
      breaker: this.breaker,
      semaphore: new Semaphore(width),
      maxWaiting: waiting,
      budget: BUDGET,
      acceptGrace,
      observer: {
        asked: () => undefined,
        startedOver: (domain, incarnation) => this.startedOver.push([domain, incarnation]),
        fault: (error) => this.faults.push(error),
      },
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

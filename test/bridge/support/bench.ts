import { AnswerCache } from "../../../src/bridge/answers/cache.ts";
import { MinGenerations } from "../../../src/bridge/answers/min-generations.ts";
import type { Resolution } from "../../../src/bridge/answers/resolution.ts";
import { Resolver } from "../../../src/bridge/answers/resolver.ts";
import type { Breaker, BreakerState } from "../../../src/bridge/edge-source/breaker.ts";
import { EdgeSource } from "../../../src/bridge/edge-source/edge-source.ts";
import { ClientError, type Outcome } from "../../../src/client/index.ts";
import type { Answer, Grounds, Verdict } from "../../../src/directory/index.ts";
import { answerOf } from "./answers.ts";
import { VirtualTime } from "./virtual-time.ts";

/** What the edge was asked. */
export interface Asked {
  readonly recipient: string;
  readonly domain: string;
  readonly minGeneration: number;
}

export type Edge = (asked: Asked) => Answer | ClientError | Promise<Answer | ClientError>;

export const SECOND = 1_000;
export const DAY = 86_400_000;
export const TIMEOUT = 3_000;
export const ACCEPT_GRACE = 7 * DAY;

/** Recipients of the tests; the edges of most tests give every recipient the same verdict. */
export const ALICE = "alice@example.com";
export const BOB = "bob@example.com";
export const NOBODY = "nobody@example.com";

/** No connection: what a client sees of an edge that is down. */
export const away = (): ClientError => new ClientError("unreachable", "connection refused");
/** What a client sees of a proxy whose edge is down. */
export const badGateway = (): ClientError => new ClientError("unreachable", "HTTP 502", 502);
/** An edge that gives every recipient one verdict. */
export const says =
  (verdict: Verdict, grounds: Grounds = {}): Edge =>
  ({ recipient }) =>
    answerOf(recipient, verdict, grounds);

/** A resolver and the real edge source under virtual time, and an edge that answers what a test wants. */
export class Bench {
  readonly time = new VirtualTime();
  readonly asked: Asked[] = [];
  /** How many recipients there were in each request. */
  readonly requests: number[] = [];
  readonly states: BreakerState[] = [];
  readonly faults: unknown[] = [];
  /** Domains whose state was forgotten, and the newer log. */
  readonly newLogs: [domain: string, incarnation: number][] = [];
  /** Of each verdict of the edge, whether it is older than what is known. */
  readonly older: boolean[] = [];
  readonly minGenerations = new MinGenerations();
  readonly cache: AnswerCache;
  readonly breaker: Breaker;
  readonly resolver: Resolver;
  /** Milliseconds until the edge answers. */
  latency = 0;
  edge: Edge;

  constructor(
    edge: Edge,
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
      answered: (_, isOlder) => this.older.push(isOlder),
      newLog: (domain, incarnation) => this.newLogs.push([domain, incarnation]),
      fault: (error) => this.faults.push(error),
    });
  }

  /** The answer, and how long it took in virtual milliseconds; time moves on as far as it needs. */
  async resolve(
    recipient: string,
  ): Promise<{ verdict: string; action: string; source: string; took: number }> {
    const from = this.time.clock.now();
    const resolved = this.ask(recipient);
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

  /** What {@link Bench.resolve} says, as `unknown reject edge`: verdict, action, source. */
  async said(recipient: string): Promise<string> {
    const { verdict, action, source } = await this.resolve(recipient);
    return `${verdict} ${action} ${source}`;
  }

  /** Asks, and does not move time on. */
  ask(recipient: string): Promise<Resolution> {
    return Promise.resolve(this.resolver.resolve(recipient));
  }

  /** Asks at once about so many recipients of example.com. */
  askMany(count: number): Promise<Resolution[]> {
    return Promise.all(Array.from({ length: count }, (_, i) => this.ask(`n${i}@example.com`)));
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

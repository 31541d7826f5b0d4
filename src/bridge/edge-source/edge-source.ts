import type { ClientError, Outcome } from "../../client/index.ts";
import type { AnswerSource, Query, SourceOutcome } from "../answers/answer-source.ts";
import type { DeferralReason } from "../answers/deferral-reason.ts";
import type { BridgePorts } from "../ports.ts";
import type { AskEdge } from "./ask-edge.ts";
import { Batcher } from "./batcher.ts";
import { Breaker, type BreakerState } from "./breaker.ts";
import { Turns } from "./turns.ts";

/** Requests for one question: a second one after a broken connection. */
const TRIES = 2;
/** Longest pause before a failing edge is asked again, ms. */
const MAX_PAUSE = 1_000;
/** Questions that may wait for a permit, before each client has its share only. */
const MAX_WAITING = 10_000;

export interface EdgeObserver {
  /** One request is sent. */
  requested(): void;
  /** One question to the edge ended after `ms`; `error` if there was no answer. */
  asked(ms: number, error: ClientError | null): void;
  breakerChanged(state: BreakerState, before: BreakerState): void;
}

export interface EdgeSourceOptions {
  readonly ports: BridgePorts;
  readonly ask: AskEdge;
  /** Milliseconds that a question may take. */
  readonly timeout: number;
  /** Questions to the edge at the same time. */
  readonly maxQuestions: number;
  readonly maxWaiting?: number;
  /** Requests about one domain at the same time. */
  readonly maxRequests: number;
  /** Failed requests in a row that open the circuit breaker. */
  readonly failures: number;
  readonly observer: EdgeObserver;
}

type Attempt = readonly [outcome: SourceOutcome, succeeded: boolean | null];

const noAnswer = (reason: DeferralReason): SourceOutcome => ({
  kind: "none",
  why: "no answer from the edge",
  reason,
});
const TOO_LATE: SourceOutcome = { kind: "none", why: "the edge did not answer in time", reason: "timeout" };
const TOO_MANY: SourceOutcome = { kind: "none", why: "too many questions wait for the edge", reason: "busy" };

/** Asks the edge over HTTP: a bounded number of questions at a time, in batches, behind a circuit breaker. Clients take turns. */
export class EdgeSource implements AnswerSource {
  readonly breaker: Breaker;
  readonly #options: EdgeSourceOptions;
  readonly #batcher: Batcher;
  readonly #turns: Turns;

  constructor(options: EdgeSourceOptions) {
    const { ports, maxQuestions, maxWaiting = MAX_WAITING, maxRequests, failures, observer } = options;
    this.#options = options;
    this.#turns = new Turns(ports.clock, maxQuestions, maxWaiting);
    this.breaker = new Breaker(ports, {
      failures,
      maxPause: MAX_PAUSE,
      onChange: (state, before) => observer.breakerChanged(state, before),
    });
    const ask: AskEdge = (recipients, domain, minGeneration) => {
      observer.requested();
      return options.ask(recipients, domain, minGeneration);
    };
    this.#batcher = new Batcher(ask, () => ports.clock.now(), maxRequests);
  }

  get isAvailable(): boolean {
    return this.breaker.state === "closed";
  }

  async ask(query: Query): Promise<SourceOutcome> {
    const { askers, deadline } = query;
    // The probe of an open breaker needs no permit.
    const release = this.isAvailable ? await this.#turns.acquire(askers, deadline) : () => undefined;
    if (release === "full") return TOO_MANY;
    if (release === "late") return TOO_LATE;
    try {
      if (this.#now() >= deadline) return TOO_LATE;
      let outcome = noAnswer("breaker");
      await this.breaker.run(async () => {
        const attempt = await this.#attempt(query);
        outcome = attempt[0];
        return attempt[1];
      });
      return outcome;
    } finally {
      release();
    }
  }

  async #attempt(query: Query): Promise<Attempt> {
    const { observer, timeout } = this.#options;
    // A probe must not wait behind requests that hang.
    const isProbe = !this.isAvailable;
    for (let tries = 1; ; tries++) {
      const askedAt = this.#now();
      const reply = await (isProbe ? this.#batcher.askAlone(query) : this.#batcher.ask(query));
      if (reply === null) return [noAnswer("timeout"), null];
      const { outcome, isFirst, sentAt } = reply;
      const now = this.#now();
      observer.asked(now - askedAt, outcome.kind === "none" ? outcome.why : null);
      // The answer is from after the request was sent: what the question waited before does not make it older.
      if (outcome.kind === "answer")
        return [{ kind: "answer", answer: outcome.answer, askedAt: sentAt }, true];
      const hasTime = now - askedAt < timeout / 3 && now < query.deadline;
      if (tries === TRIES || !hasTime || !isBrokenConnection(outcome))
        return [noAnswer(outcome.why.kind), isFirst ? false : null];
    }
  }

  #now(): number {
    return this.#options.ports.clock.now();
  }
}

/** No response at all, for example because a kept connection was closed meanwhile. */
const isBrokenConnection = ({ why }: Extract<Outcome, { kind: "none" }>): boolean =>
  why.kind === "unreachable" && why.status === null;

import type { ClientError, Outcome } from "../client/index.ts";
import { type Answer, unavailable } from "../directory/index.ts";
import type { Semaphore } from "../runtime/semaphore.ts";
import type { Batcher, EdgeQuestion } from "./batcher.ts";
import type { Breaker } from "./breaker.ts";
import type { AnswerCache } from "./cache.ts";
import { type Floors, isBelow, isNewLog, LONGEST_MAX_AGE } from "./floors.ts";
import { FollowUps } from "./follow-ups.ts";
import type { BridgePorts } from "./ports.ts";
import { type Question, questionOf } from "./question.ts";

/** Where an answer came from. `grace`: an accept that goes on while the edge is away; `none`: no answer was had. */
export type Source = "edge" | "cache" | "grace" | "local" | "none";

export interface Resolution {
  readonly answer: Answer;
  readonly source: Source;
  /** Until when a refusal may be given. Left out where the answer does not go stale. */
  readonly until?: number;
}

/** What the resolver does, for logs and metrics. */
export interface ResolverObserver {
  /** One question to the edge is over, after `ms`; `why` where it gave no answer. */
  asked(ms: number, why: ClientError | null): void;
  /** What was seen of a domain is forgotten: the edge answers from a newer log of the Registry. */
  startedOver(domain: string, incarnation: number): void;
  /** A fault of ours; the question was deferred. */
  fault(error: unknown): void;
}

export interface ResolverOptions {
  readonly ports: BridgePorts;
  readonly batcher: Batcher;
  readonly cache: AnswerCache;
  readonly floors: Floors;
  readonly breaker: Breaker;
  readonly semaphore: Semaphore;
  readonly maxWaiting: number;
  /** Milliseconds within which every question is answered. */
  readonly budget: number;
  /** How long accepts go on while the edge is away, ms. */
  readonly acceptGrace: number;
  readonly observer: ResolverObserver;
}

interface Asked extends Extract<Question, { kind: "ask" }> {
  /** Whether nobody waits for it, and it is asked for what is remembered of it. */
  readonly isFollowUp?: boolean;
}

/** What came of putting a question to the edge. */
interface Exchanged {
  /** Null where it gave no answer. */
  readonly resolution: Resolution | null;
  /** Whether that is the edge's failure, and nobody else's who went along has counted it. */
  readonly isFailure: boolean;
}

/** Times that one question is put to the edge: again after a broken connection, or where isolates disagree. */
const TRIES = 2;
/** Signs of the Registry that are older than this, or than an eighth of accept-grace, are worth another question, ms. */
const OLD_SIGN = 3_600_000;

/**
 * Answers questions about recipients: from the cache, or by asking the edge, equal questions once. Whatever goes
 * wrong, there is an answer within the budget, and it is a deferral or an accept that law 2 allows.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #flights = new Map<string, Promise<Resolution>>();
  readonly #followUps: FollowUps;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#followUps = new FollowUps(options.ports.timers);
  }

  /** Asks nothing behind answers any more. */
  stop(): void {
    this.#followUps.stop();
  }

  /**
   * @param text the recipient as the MTA sent it
   * @param now the time, read since it came
   */
  resolve(text: string, now = this.#now()): Resolution | Promise<Resolution> {
    const question = questionOf(text);
    if (question.kind === "settled") return { answer: question.answer, source: "local" };
    const cached = this.#options.cache.fresh(question.text, now);
    if (cached !== null) return resolutionOf(cached.answer, "cache", cached.expires);
    const under = this.#flights.get(question.text);
    if (under !== undefined) return under;
    const flight = this.#fly(question).finally(() => this.#flights.delete(question.text));
    this.#flights.set(question.text, flight);
    return flight;
  }

  /** The question's answer in time. An answer of the edge that comes too late for it is still remembered. */
  async #fly(question: Asked): Promise<Resolution> {
    const { ports, budget } = this.#options;
    const settled = new AbortController();
    const deadline = this.#now() + budget;
    const late = ports.timers.sleep(budget, settled.signal).then(() => null);
    try {
      const resolution = await Promise.race([this.#pursue(question, deadline), late]);
      return resolution ?? this.#withoutAnswer(question, "the edge did not answer in time");
    } finally {
      // With a reason, since an error would be made of none.
      settled.abort("settled");
    }
  }

  async #pursue(question: Asked, deadline: number): Promise<Resolution> {
    const { breaker, semaphore, maxWaiting, observer } = this.#options;
    try {
      // The one try that an open breaker lets through needs no place.
      const leave = breaker.state === "closed" ? await semaphore.acquire(maxWaiting) : () => undefined;
      if (leave === null) return this.#withoutAnswer(question, "too many questions wait for the edge");
      try {
        if (this.#now() >= deadline) return this.#withoutAnswer(question, "the edge did not answer in time");
        let resolution: Resolution | null = null;
        await breaker.run(async () => {
          const exchanged = await this.#exchange(question, deadline);
          resolution = exchanged.resolution;
          return resolution !== null || (exchanged.isFailure ? false : null);
        });
        return resolution ?? this.#withoutAnswer(question, "the edge cannot be asked now");
      } finally {
        leave();
      }
    } catch (error) {
      observer.fault(error);
      return this.#withoutAnswer(question, "fault in the bridge");
    }
  }

  /** Asks until there is something to go by. */
  async #exchange(question: Asked, deadline: number): Promise<Exchanged> {
    const { batcher, breaker, floors, observer, budget } = this.#options;
    const { text, domain } = question;
    // Whether the edge answers again is not to be learned behind what waits for it.
    const isTry = breaker.state !== "closed";
    for (let tries = 1; ; tries++) {
      const isLast = tries === TRIES;
      const askedAt = this.#now();
      const asked: EdgeQuestion = {
        recipient: text,
        domain,
        floor: floors.get(domain)?.generation ?? 0,
        isLate: () => this.#now() >= deadline,
      };
      const reply = await (isTry ? batcher.askAlone(asked) : batcher.ask(asked));
      if (reply === null) return { resolution: null, isFailure: false };
      const { outcome, speaks } = reply;
      const now = this.#now();
      observer.asked(now - askedAt, outcome.kind === "none" ? outcome.why : null);
      const isTime = now - askedAt < budget / 3 && now < deadline;
      if (outcome.kind === "none") {
        if (!isLast && isTime && isBrokenConnection(outcome)) continue;
        return { resolution: null, isFailure: speaks };
      }
      const resolution = this.#judge(question, outcome.answer, askedAt, now, isLast || !isTime);
      if (resolution !== null) return { resolution, isFailure: false };
    }
  }

  /**
   * Law 2 and law 3 at the bridge.
   * @param isLast whether the edge will not be asked again
   * @returns null where another isolate should be asked
   */
  #judge(question: Asked, answer: Answer, askedAt: number, now: number, isLast: boolean): Resolution | null {
    if (
      this.#startsOver(question.domain, answer.incarnation) &&
      answer.verdict === "unavailable" &&
      !isLast
    ) {
      return null;
    }
    // No knowledge about the recipient: the edge is as good as away.
    if (answer.verdict === "unavailable" || answer.verdict === "throttled") {
      return this.#underGrace(question) ?? { answer, source: "edge" };
    }
    const { floors } = this.#options;
    if (isBelow(answer, floors.get(question.domain), askedAt)) {
      if (!isLast) return null;
      // Older than what was seen: it may accept, once, and is not kept.
      if (answer.action !== "reject") return { answer, source: "edge" };
      return this.#deferred(question, "refused from an older generation than one seen before");
    }
    return this.#keep(question, answer, askedAt, now);
  }

  /** Remembers an answer for as long as it may be used. */
  #keep(question: Asked, answer: Answer, askedAt: number, now: number): Resolution {
    const { cache, floors, acceptGrace } = this.#options;
    const { text, domain } = question;
    // The numbers of exports order nothing: the Registry's, which may take over, are lower.
    const floor =
      answer.generation === null || answer.origin === "kv"
        ? floors.get(domain)
        : floors.raise(domain, answer.incarnation ?? 0, answer.generation, now);
    const expires = askedAt + 1000 * Math.min(answer.max_age, LONGEST_MAX_AGE);
    const vouchedAt = answer.action === "accept" ? this.#signOf(text, answer, askedAt) : null;
    if (now < expires || (vouchedAt !== null && now - vouchedAt < acceptGrace)) {
      cache.store(text, { answer, domain, floor, askedAt, expires, vouchedAt });
    } else if (answer.action !== "accept") {
      cache.forget(text);
    }
    if (answer.action === "reject" && now >= expires) {
      return this.#deferred(question, "the refusal was too old when it arrived");
    }
    if (answer.action === "accept" && question.isFollowUp !== true && this.#isOld(vouchedAt, now)) {
      this.#followUps.add(text, () => this.#followUp(question));
    }
    return resolutionOf(answer, "edge", expires);
  }

  /** When the Registry gave the last sign that an accept rests on. What was known of the same generation still counts. */
  #signOf(text: string, answer: Answer, askedAt: number): number | null {
    const age = ageOfSign(answer);
    const held = this.#options.cache.accepted(text);
    const isSame = held?.answer.generation === answer.generation && held?.answer.origin === answer.origin;
    const before = isSame ? (held?.vouchedAt ?? null) : null;
    if (age === null) return before;
    return Math.max(askedAt - age, before ?? Number.NEGATIVE_INFINITY);
  }

  /**
   * Whether an accept could not go on for most of accept-grace, though the Registry may be well: a part of the edge that
   * has just started accepts before it has heard from it.
   */
  #isOld(vouchedAt: number | null, now: number): boolean {
    const { acceptGrace } = this.#options;
    return acceptGrace > 0 && (vouchedAt === null || now - vouchedAt > Math.min(OLD_SIGN, acceptGrace / 8));
  }

  async #followUp(question: Asked): Promise<void> {
    const { breaker, cache, budget } = this.#options;
    const now = this.#now();
    // An edge that fails is left alone, and somebody else may have asked meanwhile.
    if (breaker.state !== "closed" || !this.#isOld(cache.accepted(question.text)?.vouchedAt ?? null, now))
      return;
    await this.#pursue({ ...question, isFollowUp: true }, now + budget);
  }

  /** A Registry that was lost and filled again begins a new log, with numbers that begin again. */
  #startsOver(domain: string, incarnation: number | null): boolean {
    const { floors, observer } = this.#options;
    if (incarnation === null || !isNewLog(incarnation, floors.get(domain))) return false;
    floors.startOver(domain, incarnation);
    observer.startedOver(domain, incarnation);
    return true;
  }

  #withoutAnswer(question: Asked, why: string): Resolution {
    return (
      this.#underGrace(question) ?? {
        answer: unavailable(question.text, why, question.domain),
        source: "none",
      }
    );
  }

  #underGrace(question: Asked): Resolution | null {
    const { cache, acceptGrace } = this.#options;
    const answer = cache.underGrace(question.text, this.#now(), acceptGrace);
    return answer === null ? null : { answer, source: "grace" };
  }

  #deferred(question: Asked, why: string): Resolution {
    return { answer: unavailable(question.text, why, question.domain), source: "edge" };
  }

  #now(): number {
    return this.#options.ports.clock.now();
  }
}

const resolutionOf = (answer: Answer, source: Source, until: number): Resolution =>
  answer.action === "reject" ? { answer, source, until } : { answer, source };

/** No response at all, as when a kept connection was closed meanwhile. */
const isBrokenConnection = ({ why }: Extract<Outcome, { kind: "none" }>): boolean =>
  why.kind === "unreachable" && why.status === null;

/**
 * How old the last sign of the Registry was when an accept was given, ms. An export in KV is its own evidence; an edge of
 * the release before says how old its confirmation is, and no more.
 */
function ageOfSign({ contact_age: contact, confirmed_age: confirmed, origin }: Answer): number | null {
  const age = contact ?? confirmed;
  if (age !== null) return 1000 * age;
  return origin === "kv" ? 0 : null;
}

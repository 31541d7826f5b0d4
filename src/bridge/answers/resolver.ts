import { firstOf } from "../../runtime/first-of.ts";
import type { BridgePorts } from "../ports.ts";
import type { AnswerSource, SourceOutcome } from "./answer-source.ts";
import { Askers, type Client } from "./askers.ts";
import type { DeferralReason } from "./deferral-reason.ts";
import { FollowUps } from "./follow-ups.ts";
import { AnswerJudge, type JudgeOptions } from "./judge.ts";
import { type OpenQuestion, questionOf } from "./question.ts";
import type { Resolution } from "./resolution.ts";

/** Times that the source is asked one question: again if its answer is older than one seen before. */
const TRIES = 2;

export interface ResolverOptions extends Omit<JudgeOptions, "heard" | "learn"> {
  readonly ports: BridgePorts;
  readonly source: AnswerSource;
  /** Milliseconds within which every question is answered. */
  readonly timeout: number;
  /** A fault of the bridge; the question was deferred. */
  fault(error: unknown): void;
}

interface Flight {
  readonly askers: Askers;
  readonly resolution: Promise<Resolution>;
}

/**
 * Answers questions about recipients from the cache, or by asking the source; equal questions at the same time are asked
 * once. Whatever fails, there is an answer in time: a deferral, or an accept that law 2 allows.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #judge: AnswerJudge;
  readonly #inFlight = new Map<string, Flight>();
  readonly #followUps: FollowUps;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#judge = new AnswerJudge({
      ...options,
      heard: (domain) => options.source.heard?.(domain) ?? null,
      learn: ({ text, domain }, answer) => options.source.learn?.(text, domain, answer),
    });
    this.#followUps = new FollowUps(options.ports.timers);
  }

  /** Stops asking follow-ups. */
  stop(): void {
    this.#followUps.stop();
  }

  /**
   * @param text the recipient as the MTA sent it
   * @param now the time, read after it arrived
   * @param client who asks; the bridge itself if left out
   */
  resolve(text: string, now = this.#now(), client: Client = this): Resolution | Promise<Resolution> {
    const question = questionOf(text);
    if (question.kind === "settled") return { answer: question.answer, source: "local" };
    const local = this.#fromReplica(question, now);
    if (local !== null) return local;
    const cached = this.#judge.cached(question, now);
    if (cached !== null) return cached;
    const inFlight = this.#inFlight.get(question.text);
    if (inFlight !== undefined) {
      inFlight.askers.add(client);
      return inFlight.resolution;
    }
    const askers = new Askers(client);
    const resolution = this.#answerInTime(question, askers).finally(() =>
      this.#inFlight.delete(question.text),
    );
    this.#inFlight.set(question.text, { askers, resolution });
    return resolution;
  }

  /** What a source with the list in memory says at once. Before the cache, which may be older. */
  #fromReplica(question: OpenQuestion, now: number): Resolution | null {
    const { text, domain } = question;
    try {
      const answer =
        this.#options.source.answerNow?.(text, domain, this.#judge.seenGeneration(domain)) ?? null;
      return answer === null ? null : this.#judge.local(question, answer, now);
    } catch (error) {
      this.#options.fault(error);
      return null;
    }
  }

  /** An answer of the source that arrives after the deadline is still cached. */
  async #answerInTime(question: OpenQuestion, askers: Askers): Promise<Resolution> {
    const { ports, timeout } = this.#options;
    const deadline = this.#now() + timeout;
    const ask = (): Promise<Resolution> => this.#askAndFollowUp(question, askers, deadline);
    const resolution = await firstOf(ports.timers, timeout, ask);
    return resolution ?? this.#withoutAnswer(question, "the edge did not answer in time", "timeout");
  }

  async #askAndFollowUp(question: OpenQuestion, askers: Askers, deadline: number): Promise<Resolution> {
    const resolution = await this.#ask(question, askers, deadline);
    if (resolution.needsFollowUp) this.#followUps.add(question.text, () => this.#followUp(question));
    return resolution;
  }

  async #ask(question: OpenQuestion, askers: Askers, deadline: number): Promise<Resolution> {
    const { source, timeout } = this.#options;
    const { text: recipient, domain } = question;
    const minGeneration = (): number => this.#judge.minGeneration(domain);
    const seenGeneration = (): number => this.#judge.seenGeneration(domain);
    try {
      for (let tries = 1; ; tries++) {
        const begun = this.#now();
        const outcome = await source.ask({
          recipient,
          domain,
          askers,
          minGeneration,
          seenGeneration,
          deadline,
        });
        if (outcome.kind === "none") {
          return this.#withoutAnswer(question, outcome.why, outcome.reason ?? "no-answer");
        }
        const { answer, askedAt, later } = outcome;
        const now = this.#now();
        if (outcome.isLocal) {
          if (later !== undefined) void this.#keepLater(question, later);
          const why = "the replica is older than what was seen before";
          const resolution = this.#judge.local(question, answer, now, outcome.isSuperseded);
          return resolution ?? this.#withoutAnswer(question, why, "stale");
        }
        const isLast = tries === TRIES || now - begun >= timeout / 3 || now >= deadline;
        const resolution = this.#judge.judge(question, { answer, askedAt, now }, isLast);
        if (resolution !== null) return resolution;
      }
    } catch (error) {
      this.#options.fault(error);
      return this.#withoutAnswer(question, "internal error in the bridge", "fault");
    }
  }

  /** Keeps an answer for which nobody waits any more. */
  async #keepLater(question: OpenQuestion, later: Promise<SourceOutcome>): Promise<void> {
    try {
      const outcome = await later;
      if (outcome.kind === "none") return;
      const { answer, askedAt } = outcome;
      this.#judge.judge(question, { answer, askedAt, now: this.#now() }, true);
    } catch (error) {
      this.#options.fault(error);
    }
  }

  async #followUp(question: OpenQuestion): Promise<void> {
    const now = this.#now();
    // Another question may have been answered since.
    if (!this.#options.source.isAvailable || !this.#judge.needsFollowUp(question, now)) return;
    await this.#ask(question, new Askers(this), now + this.#options.timeout);
  }

  #withoutAnswer(question: OpenQuestion, why: string, reason: DeferralReason): Resolution {
    return this.#judge.withoutAnswer(question, why, reason, this.#now());
  }

  #now(): number {
    return this.#options.ports.clock.now();
  }
}

import { type Answer, unavailable } from "../../directory/index.ts";
import type { AnswerCache } from "./cache.ts";
import type { DeferralReason } from "./deferral-reason.ts";
import {
  type Heard,
  isNewLog,
  isOlder,
  isOlderThanHeard,
  LONGEST_MAX_AGE,
  type MinGenerations,
} from "./min-generations.ts";
import type { OpenQuestion } from "./question.ts";
import type { FoundBy, Resolution } from "./resolution.ts";

/** An accept whose last contact with the Registry is older than this, or than an eighth of accept-grace, is asked again, ms. */
const OLD_CONTACT = 3_600_000;

const NOTHING: Heard = { incarnation: 0, generation: 0 };

/** An answer of the source and when it was asked for and received. */
export interface Received {
  readonly answer: Answer;
  readonly askedAt: number;
  readonly now: number;
}

export interface JudgeOptions {
  readonly cache: AnswerCache;
  readonly minGenerations: MinGenerations;
  /** How long accepts hold while the edge is away, ms. */
  readonly acceptGrace: number;
  /** What the host has heard of a domain's log by itself; null if nothing. */
  heard(domain: string): Heard | null;
  /** Whether the edge's answer about a domain shows that it knows only an older state than this host. */
  answered(domain: string, isOlder: boolean): void;
  /** An answer of the edge counts, or names its log without a verdict. */
  learn(question: OpenQuestion, answer: Answer): void;
  /** What was seen of a domain is forgotten: the edge answers from a newer log of the Registry. */
  newLog(domain: string, incarnation: number): void;
}

/** Laws 2 and 3 at the bridge: what may be answered from the cache, and what an answer of the source is worth. */
export class AnswerJudge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** The cached answer, if it still holds. */
  cached(question: OpenQuestion, now: number): Resolution | null {
    const { cache, heard } = this.#options;
    const cached = cache.fresh(question.text, now, heard(question.domain));
    return cached === null ? null : resolutionOf(cached.answer, "cache", cached.expires);
  }

  /** The resolution when there is no answer: an accept under grace, or a deferral. */
  withoutAnswer(question: OpenQuestion, why: string, reason: DeferralReason, now: number): Resolution {
    return this.#underGrace(question, now) ?? { answer: deferral(question, why), source: "none", reason };
  }

  /** Highest generation that an answer named, 0 if the host has heard of a newer log: its numbers are unrelated. */
  seenGeneration(domain: string): number {
    const { minGenerations, heard } = this.#options;
    const seen = minGenerations.get(domain);
    return seen === undefined || isNewLog(heard(domain)?.incarnation ?? null, seen) ? 0 : seen.generation;
  }

  /** Highest generation that the host knows: also what it heard by itself, in the newest log that it knows. */
  minGeneration(domain: string): number {
    return this.#known(domain).generation;
  }

  /**
   * What an answer of the replica is worth. It is not cached: the replica can give it again.
   * @param isSuperseded whether the replica accepts although it knows of something newer
   * @returns null if a newer state of the domain was seen
   */
  local(
    { text, domain }: OpenQuestion,
    answer: Answer,
    now: number,
    isSuperseded = false,
  ): Resolution | null {
    const { cache, minGenerations } = this.#options;
    if (isSuperseded) return resolutionOf(answer, "replica", now);
    this.#startsOver(domain, answer.incarnation);
    if (isOlder(answer, minGenerations.get(domain), now)) return null;
    if (answer.action !== "accept") cache.forget(text);
    if (answer.generation !== null) {
      minGenerations.raise(domain, answer.incarnation ?? 0, answer.generation, now);
    }
    return resolutionOf(answer, "replica", now + 1000 * Math.min(answer.max_age, LONGEST_MAX_AGE));
  }

  /**
   * @param isLast whether the source will not be asked again
   * @returns null if the source should be asked again, since it answers from several isolates
   */
  judge(question: OpenQuestion, received: Received, isLast: boolean): Resolution | null {
    const { answer, askedAt, now } = received;
    // Before anything else: what was seen and what the host has heard must name the same log.
    if (isNoVerdict(answer)) this.#options.learn(question, answer);
    if (
      this.#startsOver(question.domain, answer.incarnation) &&
      answer.verdict === "unavailable" &&
      !isLast
    ) {
      return null;
    }
    // Nothing is known about the recipient, as if the edge were away.
    if (isNoVerdict(answer)) {
      if (this.#isBehind(answer, question.domain)) this.#options.answered(question.domain, true);
      return this.#underGrace(question, now) ?? { answer, source: "edge" };
    }
    const { minGenerations, heard } = this.#options;
    if (
      isOlder(answer, minGenerations.get(question.domain), askedAt) ||
      isOlderThanHeard(answer, heard(question.domain))
    ) {
      if (!isLast) return null;
      this.#options.answered(question.domain, true);
      // Older than what was seen: an accept is used once and not cached, a refusal is not used.
      if (answer.action !== "reject") return { answer, source: "edge" };
      return deferred(question, "refused from an older generation than one seen before");
    }
    this.#options.answered(question.domain, false);
    this.#options.learn(question, answer);
    return this.#keep(question, received);
  }

  /**
   * Whether the cached accept could not hold for most of accept-grace, although the Registry may be well: an isolate that
   * has just started accepts before it contacts the Registry.
   */
  needsFollowUp(question: OpenQuestion, now: number): boolean {
    const { cache, heard } = this.#options;
    return this.#isOld(cache.accepted(question.text, heard(question.domain))?.contactAt ?? null, now);
  }

  /** Caches an answer for as long as it may be used. */
  #keep(question: OpenQuestion, { answer, askedAt, now }: Received): Resolution {
    const { cache, minGenerations, acceptGrace } = this.#options;
    const { text, domain } = question;
    if (answer.generation === null) minGenerations.noteGone(domain);
    const minGeneration =
      answer.generation === null
        ? minGenerations.get(domain)
        : minGenerations.raise(domain, answer.incarnation ?? 0, answer.generation, now);
    const expires = askedAt + 1000 * Math.min(answer.max_age, LONGEST_MAX_AGE);
    const isAccept = answer.action === "accept";
    const contactAt = isAccept ? this.#contactOf(text, answer, askedAt) : null;
    const confirmedAt = isAccept ? this.#confirmationOf(text, answer, askedAt) : null;
    if (now < expires || (contactAt !== null && now - contactAt < acceptGrace)) {
      cache.store(text, { answer, domain, minGeneration, expires, contactAt, confirmedAt });
    } else if (!isAccept) {
      cache.forget(text);
    }
    if (answer.action === "reject" && now >= expires) {
      return deferred(question, "the refusal was too old when it arrived");
    }
    const resolution = resolutionOf(answer, "edge", expires);
    return isAccept && this.#isOld(contactAt, now) ? { ...resolution, needsFollowUp: true } : resolution;
  }

  #known(domain: string): Heard {
    const { minGenerations, heard } = this.#options;
    const [seen, own] = [minGenerations.get(domain), heard(domain)];
    if (seen === undefined || own === null) return seen ?? own ?? NOTHING;
    if (seen.incarnation > own.incarnation) return seen;
    const isSameLog = seen.incarnation === 0 || seen.incarnation === own.incarnation;
    return isSameLog && seen.generation > own.generation ? seen : own;
  }

  /** Whether the edge has no verdict since it does not reach what is known: then it names its log. */
  #isBehind({ incarnation }: Answer, domain: string): boolean {
    const known = this.#known(domain);
    return known.generation > 0 && incarnation !== null && incarnation <= known.incarnation;
  }

  /** The last contact with the Registry that an accept rests on. An earlier answer of the same generation still counts. */
  #contactOf(text: string, answer: Answer, askedAt: number): number | null {
    const age = contactAge(answer);
    const held = this.#options.cache.held(text);
    const isSame =
      held?.answer.generation === answer.generation && held?.answer.incarnation === answer.incarnation;
    const before = isSame ? (held?.contactAt ?? null) : null;
    if (age === null) return before;
    return Math.max(askedAt - age, before ?? Number.NEGATIVE_INFINITY);
  }

  /** When an accept was last confirmed: this one, or one that was held before it. No answer said otherwise in between. */
  #confirmationOf(text: string, { confirmed_age: age }: Answer, askedAt: number): number | null {
    const before = this.#options.cache.held(text)?.confirmedAt ?? null;
    if (age === null) return before;
    return Math.max(askedAt - 1000 * age, before ?? Number.NEGATIVE_INFINITY);
  }

  #isOld(contactAt: number | null, now: number): boolean {
    const { acceptGrace } = this.#options;
    return (
      acceptGrace > 0 && (contactAt === null || now - contactAt > Math.min(OLD_CONTACT, acceptGrace / 8))
    );
  }

  /** A Registry that was lost and filled again starts a new log, with new numbers. */
  #startsOver(domain: string, incarnation: number | null): boolean {
    const { minGenerations, newLog } = this.#options;
    if (incarnation === null || !isNewLog(incarnation, minGenerations.get(domain))) return false;
    minGenerations.startOver(domain, incarnation);
    newLog(domain, incarnation);
    return true;
  }

  #underGrace(question: OpenQuestion, now: number): Resolution | null {
    const { cache, acceptGrace, heard } = this.#options;
    const answer = cache.underGrace(question.text, now, acceptGrace, heard(question.domain));
    return answer === null ? null : { answer, source: "grace" };
  }
}

const isNoVerdict = ({ verdict }: Answer): boolean => verdict === "unavailable" || verdict === "throttled";

const resolutionOf = (answer: Answer, source: FoundBy, until: number): Resolution =>
  answer.action === "reject" ? { answer, source, until } : { answer, source };

const deferral = ({ text, domain }: OpenQuestion, why: string): Answer => unavailable(text, why, domain);

const deferred = (question: OpenQuestion, why: string): Resolution => ({
  answer: deferral(question, why),
  source: "edge",
  reason: "stale",
});

/** Age of the last contact with the Registry when an accept was given, ms; null if there was none. */
const contactAge = ({ contact_age: age }: Answer): number | null => (age === null ? null : 1000 * age);

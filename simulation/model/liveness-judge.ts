/** If nothing is wrong there is a verdict: an isolate without faults never defers because it has none. */
import type { Answer } from "../../src/directory/index.ts";
import { FITTING, LINGERING } from "../../testing/limits.ts";
import type { Answerer, Moment } from "./answerer.ts";
import type { JudgeContext } from "./context.ts";
import { seconds, words } from "./pairs.ts";

/** A check, as far as it matters whether there was a verdict. */
export interface Checked {
  readonly host: Answerer;
  readonly domain: string;
  readonly answer: Answer;
  /** Highest generation that the asker had seen. */
  readonly floor: number;
}

export class LivenessJudge {
  readonly #parts: JudgeContext;

  constructor(parts: JudgeContext) {
    this.#parts = parts;
  }

  /** @param at when it was answered */
  judge({ host, domain, answer, floor }: Checked, at: Moment): void {
    if (!isWell(host, at)) return;
    const { tally, violation, model } = this.#parts;
    tally.event("no fault for 45 s: checks");
    if (answer.verdict !== "unavailable") return;
    if (model.history(domain).isDamageFelt(at.time)) return;
    if (this.#mayBeOfALostLog(floor) || this.#isBeyond(domain, floor)) return;
    const why = `${host.name} says ${words(answer)} of ${domain} (${answer.detail}; the client had seen ${floor})`;
    violation(ASSERTION, `${why}, and the last fault met it ${sinceFault(at)}`);
  }

  /** A response that is no answer at all. */
  judgeFailure(host: Answerer, status: number, at: Moment): void {
    if (status < 500 || !isWell(host, at)) return;
    this.#parts.violation(ASSERTION, `${host.name} answers HTTP ${status}: no fault ${sinceFault(at)}`);
  }

  /**
   * Whether the client may have a number from a lost log, which the new log may never reach. The answer of an alias
   * carries its target's number, so it may be of any domain.
   */
  #mayBeOfALostLog(floor: number): boolean {
    return this.#parts.model.all.some((history) =>
      history.named(floor).some((generation) => !history.current.includes(generation)),
    );
  }

  /**
   * Whether no answer about a domain has such a number: a host that just starts knows that the target has gone on, and not
   * yet that the domain is no alias of it any more.
   */
  #isBeyond(domain: string, floor: number): boolean {
    const { model } = this.#parts;
    const heads = model.headsBehind(domain);
    const wasAlias = model.history(domain).targets.size > 0;
    return wasAlias && heads.length > 0 && heads.every((head) => floor > head.number);
  }
}

const ASSERTION = "nothing wrong, nothing deferred";

/** Whether nothing is wrong with an isolate, nor lingers: it has room, and no fault met it lately. */
const isWell = ({ settings }: Answerer, at: Moment): boolean =>
  settings.cacheBytes >= FITTING && at.time - at.hurtAt > LINGERING;

const sinceFault = ({ time, hurtAt }: Moment): string =>
  hurtAt === Number.NEGATIVE_INFINITY ? "ever" : `${seconds(time - hurtAt)} ago`;

/** If nothing is wrong there is a verdict: an isolate without faults never defers because it has none. */
import type { Answer } from "../../src/directory/index.ts";
import { FITTING, LINGERING } from "../../testing/limits.ts";
import type { Answerer, Moment } from "./answerer.ts";
import { BOUNDS } from "./bounds.ts";
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

interface LivenessJudgeParts extends JudgeContext {
  partitionOf(domain: string): number;
}

export class LivenessJudge {
  readonly #parts: LivenessJudgeParts;
  /** When an isolate first deferred a domain whose export was taken back, by both. */
  readonly #foundTakenBack = new Map<string, number>();

  constructor(parts: LivenessJudgeParts) {
    this.#parts = parts;
  }

  /** @param at when it was answered */
  judge({ host, domain, answer, floor }: Checked, at: Moment): void {
    if (!isWell(host, at)) return;
    const { tally, violation } = this.#parts;
    tally.event("no fault for 45 s: checks");
    if (answer.verdict !== "unavailable") return;
    if (this.#isOnItsWay(domain, at.time, host.settings.window)) {
      tally.event("no fault for 45 s: deferred, since KV does not show all of an export");
      return;
    }
    if (this.#mayBeOfALostLog(floor) || this.#isBeyond(domain, floor) || this.#isOverwritten(domain)) return;
    if (this.#isNobodys(domain, at.time) || this.#isFoundTakenBack(host, domain, at.time)) return;
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

  /** Whether KV has no list of an export: a Registry has copied its own head over it, and was lost. */
  #isOverwritten(domain: string): boolean {
    const { model } = this.#parts;
    const exported = model.exports.get(domain)?.generations.at(-1);
    if (exported === undefined) return false;
    const { generations, current } = model.history(domain);
    return generations.some((it) => it.since >= exported.since && !current.includes(it));
  }

  /** Whether an export was taken back, and no Registry can say that its domain is not served: it was never initialised. */
  #isNobodys(domain: string, time: number): boolean {
    const { model, partitionOf } = this.#parts;
    const isInitialised = model.all.some(
      (it) => partitionOf(it.domain) === partitionOf(domain) && it.current.length > 0,
    );
    return !isInitialised && (model.exports.get(domain)?.lostFor(time) ?? 0) > 0;
  }

  /** Whether an isolate that was asked nothing for long finds that an export was taken back: it reads the roster then. */
  #isFoundTakenBack(host: Answerer, domain: string, time: number): boolean {
    if ((this.#parts.model.exports.get(domain)?.lostFor(time) ?? 0) === 0) return false;
    const key = `${host.name} ${domain}`;
    const first = this.#foundTakenBack.get(key) ?? time;
    this.#foundTakenBack.set(key, first);
    return time - first <= host.settings.window;
  }

  /** Whether an export, or its end, may show in part: its manifest, its shards and its roster come by themselves. */
  #isOnItsWay(domain: string, time: number, window: number): boolean {
    const history = this.#parts.model.exports.get(domain);
    const last = history?.generations.at(-1);
    if (last === undefined) return false;
    const changed = last.until <= time ? last.until : last.since;
    return time - changed <= BOUNDS.exportRoster + window;
  }
}

const ASSERTION = "nothing wrong, nothing deferred";

/** Whether nothing is wrong with an isolate, nor lingers: it has room, and no fault met it lately. */
const isWell = ({ settings }: Answerer, at: Moment): boolean =>
  settings.cacheBytes >= FITTING && at.time - at.hurtAt > LINGERING;

const sinceFault = ({ time, hurtAt }: Moment): string =>
  hurtAt === Number.NEGATIVE_INFINITY ? "ever" : `${seconds(time - hurtAt)} ago`;

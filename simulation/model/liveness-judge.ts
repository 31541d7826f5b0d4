/** If nothing is wrong there is a verdict: an isolate without faults never defers because it has none. */
import type { Answer } from "../../src/directory/index.ts";
import { FITTING, LINGERING } from "../../testing/limits.ts";
import type { Tally } from "../basics/tally.ts";
import type { Answerer, Moment } from "./answerer.ts";
import { BOUNDS } from "./bounds.ts";
import type { ModelDirectory } from "./directory.ts";
import { seconds, words } from "./pairs.ts";

export interface LivenessJudgeParts {
  readonly model: ModelDirectory;
  readonly tally: Tally;
  violation(assertion: string, words: string): void;
}

/** A check, as far as it matters whether there was a verdict. */
export interface Checked {
  readonly host: Answerer;
  readonly domain: string;
  readonly answer: Answer;
  /** Highest generation that the asker had seen. */
  readonly floor: number;
}

export class LivenessJudge {
  readonly #parts: LivenessJudgeParts;

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
    if (this.#mayBeOfALostLog(domain, floor)) return;
    const why = `${host.name} says ${words(answer)} of ${domain} (${answer.detail})`;
    violation(ASSERTION, `${why}, and the last fault met it ${sinceFault(at)}`);
  }

  /** A response that is no answer at all. */
  judgeFailure(host: Answerer, status: number, at: Moment): void {
    if (status < 500 || !isWell(host, at)) return;
    this.#parts.violation(ASSERTION, `${host.name} answers HTTP ${status}: no fault ${sinceFault(at)}`);
  }

  /** Whether an asker may have a number from a log that was lost: this one may not have reached it yet, or never will. */
  #mayBeOfALostLog(domain: string, floor: number): boolean {
    const history = this.#parts.model.history(domain);
    return history.named(floor).some((generation) => !history.current.includes(generation));
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

/** Judges of what isolates and replicas say: every answer is put on trial, and what is wrong with it is a violation. */
import type { WindowKind } from "../basics/windows.ts";
import type { Moment } from "./answerer.ts";
import type { JudgeContext } from "./context.ts";
import { LivenessJudge } from "./liveness-judge.ts";
import { type Testimony, Trial, type TrialParts } from "./trial.ts";

/** What ages are called if a replica gave the answer. */
const AT_A_REPLICA: Partial<Record<WindowKind, WindowKind>> = {
  refusal: "replica: refusal",
  "accept, confirmed": "replica: accept, confirmed",
  "accept, Registry away": "replica: accept, edge away",
};

export type JudgeParts = JudgeContext & TrialParts;

export class Judge {
  readonly #parts: JudgeParts;
  readonly liveness: LivenessJudge;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.liveness = new LivenessJudge(parts);
  }

  /**
   * Judges an answer. It was decided at one of these moments, the last one most likely: it is enough that it was
   * right at one of them.
   */
  judge(testimony: Testimony, moments: readonly Moment[]): void {
    const { tally, partitionOf } = this.#parts;
    const { host, domain, answer } = testimony;
    if (host.kind === "isolate") tally.checks++;
    else tally.overReplica++;
    tally.verdict(answer.verdict);
    const partition = partitionOf(domain);
    const last = moments.at(-1) as Moment;
    if (!host.firstAsked.has(partition)) host.firstAsked.set(partition, last.time);
    this.liveness.judge(testimony, last);
    const first = new Trial(this.#parts, testimony, last);
    let trial = first;
    for (let i = moments.length - 2; i >= 0 && trial.complaints.length > 0; i--)
      trial = new Trial(this.#parts, testimony, moments[i] as Moment);
    if (trial.complaints.length > 0) trial = first;
    for (const { assertion, words } of trial.complaints) this.#parts.violation(assertion, words);
    for (const [kind, age, bound] of trial.ages)
      tally.window((host.kind === "replica" ? AT_A_REPLICA[kind] : undefined) ?? kind, age, bound);
    if (trial.place !== null)
      host.answered.set(domain, Math.max(trial.place, host.answered.get(domain) ?? 0));
  }
}

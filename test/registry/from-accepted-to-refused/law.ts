/** What the law is, in as few words as it takes: nobody goes from accepted to refused at once. */
import type { Verdict } from "../../../src/directory/index.ts";

/** What a list says of a recipient. The mode is a person's word and outside the law, so that the verdict counts. */
export type Said = ReadonlyMap<string, Verdict>;

const ACCEPTED: ReadonlySet<Verdict> = new Set(["deliverable", "full"]);
const WAITING: ReadonlySet<Verdict> = new Set(["departed", "unavailable"]);

export const isAccepted = (verdict: Verdict): boolean => ACCEPTED.has(verdict);
export const isRefused = (verdict: Verdict): boolean => !isAccepted(verdict) && !WAITING.has(verdict);

/** For each recipient, until when it may not be refused. Infinity while it is accepted, or the brake holds it. */
export class Law {
  readonly #until = new Map<string, number>();

  /**
   * A moment after an action.
   * @param grace milliseconds, the larger one of before and after the action
   * @param dismissed recipients of whom a person said that they may be refused at once
   * @returns recipients that are refused too early
   */
  judge(said: Said, now: number, grace: number, dismissed: ReadonlySet<string>): readonly string[] {
    const early: string[] = [];
    for (const [recipient, verdict] of said) {
      const until = this.#until.get(recipient) ?? 0;
      if (dismissed.has(recipient)) this.#until.set(recipient, 0);
      else if (isAccepted(verdict)) this.#until.set(recipient, Number.POSITIVE_INFINITY);
      else if (until === Number.POSITIVE_INFINITY) this.#until.set(recipient, now + grace);
      if (!isRefused(verdict) || now >= (this.#until.get(recipient) ?? 0)) continue;
      early.push(recipient);
      // Said once.
      this.#until.set(recipient, 0);
    }
    return early;
  }
}

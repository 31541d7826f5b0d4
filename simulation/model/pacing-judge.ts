/** Copies of single changes to KV: no day has more of them than their half of a partition's writes. */
import type { JudgeContext } from "./context.ts";

const DAY = 86_400_000;
/** Share of a day's writes that they may take. */
const SHARE = 0.5;
/** Of a list of which a reader missed a part, all is written, single changes too. */
const REPAIRS = 4;

interface PacingJudgeParts extends JudgeContext {
  partitionOf(domain: string): number;
}

export class PacingJudge {
  readonly #parts: PacingJudgeParts;
  readonly #aDay: number;
  /** By domain: the newest generation that KV was given. */
  readonly #newest = new Map<string, number>();
  /** Copies of nothing but single changes. */
  readonly #paced: { readonly partition: number; readonly at: number }[] = [];

  /** @param aDay KV writes of one partition */
  constructor(parts: PacingJudgeParts, aDay: number) {
    this.#parts = parts;
    this.#aDay = aDay;
  }

  /** KV was given a manifest of the Registry. */
  copied(domain: string, number: number): void {
    const { model, now, tally, violation, partitionOf } = this.#parts;
    const { current, log } = model.history(domain);
    const before = this.#newest.get(domain) ?? 0;
    this.#newest.set(domain, Math.max(before, number));
    const from = current.findIndex((it) => it.number === before);
    const to = current.findIndex((it) => it.number === number);
    // A Registry that was lost has another budget.
    if (log > 0 || from < 0 || to <= from) return;
    const isSingle = (i: number): boolean => current[i]?.isPatch === true;
    for (let i = from + 1; i <= to; i++) if (!isSingle(i)) return;
    const partition = partitionOf(domain);
    this.#paced.push({ partition, at: now() });
    tally.event("copy of single changes");
    const count = this.#paced.filter((it) => it.partition === partition && now() - it.at < DAY).length;
    if (count > SHARE * this.#aDay + REPAIRS)
      violation("copies of single changes are paced", `partition ${partition} made ${count} within a day`);
  }
}

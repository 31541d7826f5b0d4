import type { Content } from "./generation.ts";
import type { History } from "./history.ts";

interface GuardJudgeParts {
  now(): number;
  violation(assertion: string, words: string): void;
}

/** Law 4: without the override no list of the last day loses more than a share of its names, and never all. */
export function judgeGuard(
  { now, violation }: GuardJudgeParts,
  history: History,
  content: Content,
  name: number | string,
  before?: Content,
  part: number | null = null,
): void {
  if (history.losesPatterns(content, now())) {
    const words = `${history.domain} ${name} drops a pattern or refuses by one without the override`;
    violation("guard", words);
  }
  const share = history.guardFor(content, now());
  const losses = history.losses(content, now(), before, part);
  const mayBeEmpty = content.policy.alias !== null || content.policy.catchall;
  for (const { accepted, after, isWorse } of losses) {
    if (!isWorse || mayBeEmpty) continue;
    const isAll = after === accepted && accepted > 1;
    if (!isAll && (after <= 1 || after <= share * accepted + 1e-6)) continue;
    const words = `${history.domain} ${name} refuses ${after} of ${accepted} names without the override`;
    violation("guard", words);
  }
}

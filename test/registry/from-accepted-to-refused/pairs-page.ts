/** docs/pairs.md: how often each pair of actions was tried. */
import { ACTIONS } from "./actions.ts";

export const pairOf = (first: string, second: string): string => `${first}, then ${second}`;

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** @param pairs how often each pair made two generations, one directly after the other */
export function pairsPage(pairs: ReadonlyMap<string, number>, sequences: number, seed: number): string {
  const names = ACTIONS.map(({ name }) => name);
  const countOf = (first: string, second: string): number => pairs.get(pairOf(first, second)) ?? 0;
  const counts = [...pairs.values()];
  const tried = counts.reduce((sum, count) => sum + count, 0);
  return [
    "# Pairs of actions",
    "",
    "Law 4 says that nobody goes from accepted to refused without a deferral. A model of twenty lines judges that over random",
    "sequences of every action that makes a generation, on the real Registry",
    "([test](../test/registry/from-accepted-to-refused/from-accepted-to-refused.test.ts)). Each sequence has one pair on purpose, and",
    "further actions and pauses, from a second to a day, around it. After each step every recipient of a pool is looked up.",
    "",
    `The table has ${sequences.toLocaleString("en")} sequences from seed ${seed}: how often the action of a row made a generation, and that of`,
    `a column the next one. ${pairs.size} of ${names.length ** 2} pairs were tried, ${tried.toLocaleString("en")} times in all. No sequence broke the law. Pairs`,
    "without a number did not come up. Most of them cannot: nothing can be released that the brake does not hold.",
    "",
    ...names.map((name, i) => `${i + 1}. ${name}`),
    "",
    row(["", ...names.map((_, i) => i + 1)]),
    `|${"---:|".repeat(names.length + 1)}`,
    ...names.map((first, i) => row([i + 1, ...names.map((second) => countOf(first, second) || "")])),
    "",
  ].join("\n");
}

/** A domain in words, for the story of a run. */
import type { History } from "./history.ts";

/** What became of a domain with its newest generation. */
export function describe(history: History): string {
  const [before, after] = history.generations.slice(-2).length === 2 ? history.generations.slice(-2) : [];
  const head = history.head as NonNullable<History["head"]>;
  const settings = [
    ...(head.mode === "enforce" ? [] : [head.mode]),
    ...(head.policy.alias === null ? [] : [`alias of ${head.policy.alias}`]),
    ...(head.patterns.size > 0 ? [`patterns ${[...head.patterns].join(" ")}`] : []),
    ...(head.policy.catchall ? ["catch-all"] : []),
    ...(head.policy.case === "sensitive" ? ["case counts"] : []),
    ...(head.policy.dots === "ignored" ? ["dots do not count"] : []),
    ...(head.epoch > 1 ? [`key ${head.epoch}`] : []),
  ];
  if (before === undefined || after === undefined) return [`${head.list.size} names`, ...settings].join(", ");
  const came = [...after.list.keys()].filter((name) => !before.list.has(name));
  const went = [...before.list.keys()].filter((name) => !after.list.has(name));
  const some = (names: string[]): string =>
    names.length > 4 ? `${names.slice(0, 4).join(" ")} and ${names.length - 4} more` : names.join(" ");
  return [
    ...(came.length > 0 ? [`${some(came)} come`] : []),
    ...(went.length > 0 ? [`${some(went)} go`] : []),
    ...settings,
    `${head.list.size} names`,
  ].join(", ");
}

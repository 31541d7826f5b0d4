/** Two runs of the benchmark side by side. */
import { markdownTable } from "../../testing/markdown.ts";
import { figure, spread } from "./figures.ts";
import type { Measurement } from "./measurement.ts";

/** A measurement of both runs. */
export interface Compared {
  readonly before: Measurement;
  readonly after: Measurement;
  /** By how much it became worse, in its own unit; negative if it became better. */
  readonly loss: number;
  /** How far the rounds of one run are apart: the larger of both runs. */
  readonly spread: number;
  readonly isWorse: boolean;
}

/** What counts as spread if there were no rounds: a share of the value; counts repeat exactly. */
const WITHOUT_ROUNDS = 0.05;

const isLowerBetter = ({ unit, bar }: Measurement): boolean =>
  bar === undefined ? unit !== "x" && unit !== "/s" : bar.kind === "at most";

const spreadOf = ({ value, unit, lowest, highest }: Measurement): number => {
  if (lowest !== undefined && highest !== undefined && highest > lowest) return highest - lowest;
  return unit === "count" && Number.isInteger(value) ? 0 : WITHOUT_ROUNDS * Math.abs(value);
};

/** Before it measured microseconds, the benchmark gave the rate of checks in batches behind `batch.post.known`. */
function microsOf(measurements: readonly Measurement[]): Measurement[] {
  const rate = measurements.find(({ id }) => id === "batch.post.known")?.detail?.["checks a second"];
  return rate === undefined ? [] : [{ id: "batch.micros", what: "", value: 1e6 / rate, unit: "µs" }];
}

/** Pairs the measurements of two runs by their ids, in the order of the second. */
export function compare(before: readonly Measurement[], after: readonly Measurement[]): Compared[] {
  const earlier = new Map([...microsOf(before), ...before].map((each) => [each.id, each]));
  return after.flatMap((each) => {
    const other = earlier.get(each.id);
    if (other === undefined) return [];
    const loss = isLowerBetter(each) ? each.value - other.value : other.value - each.value;
    const spread = Math.max(spreadOf(other), spreadOf(each));
    return [{ before: other, after: each, loss, spread, isWorse: loss > spread }];
  });
}

/** Both runs as a table in Markdown, and the measurements that only one of them has. */
export function comparisonOf(before: readonly Measurement[], after: readonly Measurement[]): string {
  const compared = compare(before, after);
  const shown = (each: Measurement): string => {
    const ends = spread(each);
    return `${figure(each.value, each.unit)}${ends === "" ? "" : ` (${ends})`}`;
  };
  const rows = compared.map(({ before, after, loss, isWorse }) => [
    after.what,
    shown(before),
    shown(after),
    before.value === 0 ? "" : `${(100 * (after.value / before.value - 1)).toFixed(1)} %`,
    isWorse ? "**worse**" : loss > 0 ? "within the spread" : "",
  ]);
  const only = (some: readonly Measurement[], others: readonly Measurement[], run: string): string[] =>
    some
      .filter(({ id }) => !others.some((other) => other.id === id))
      .map((each) => `Only ${run}: ${each.what}: ${shown(each)} (${each.id})`);
  const worse = compared.filter(({ isWorse }) => isWorse).length;
  return [
    markdownTable(["what", "before", "after", "change", ""], rows),
    "",
    `${worse} of ${compared.length} are worse by more than the spread of their rounds.`,
    ...only(before, after, "before"),
    ...only(after, before, "after"),
  ].join("\n");
}

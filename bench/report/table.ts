/** Measurements as a table: for a terminal, and in Markdown for docs/performance.md. */
import { between, markdownTable } from "../../testing/markdown.ts";
import { bar, figure, spread, verdict } from "./figures.ts";
import { isMet, type Measurement } from "./measurement.ts";
import { suiteOf } from "./merge.ts";
import type { Results } from "./results.ts";

const HEADS = ["what", "measured", "rounds", "bar", ""] as const;

const cellsOf = (measurement: Measurement): string[] => [
  measurement.what,
  figure(measurement.value, measurement.unit),
  spread(measurement),
  bar(measurement),
  verdict(measurement),
];

/** A table in fixed columns. */
export function plainTable(measurements: readonly Measurement[]): string {
  const rows = [HEADS as readonly string[], ...measurements.map(cellsOf)];
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths[column] as number)).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** For docs/performance.md: what it ran on, and a table for each suite with the figures behind each measurement. */
export function markdown(results: Results): string {
  const { machine, date, extent, measurements, skipped, broken, later = {} } = results;
  const groups = [...new Set(measurements.map(suiteOf))];
  const tables = groups.flatMap((group) => {
    const rows = measurements
      .filter((each) => suiteOf(each) === group)
      .map((each) => [...cellsOf(each), behind(each)]);
    const own = later[group];
    const when =
      own === undefined
        ? []
        : [
            `Measured later, ${own.date.slice(0, 16)}Z${own.system === undefined ? "" : `, ${own.system}`}; ${roundsOf(own)}.`,
            "",
          ];
    return ["", `### ${group}`, "", ...when, markdownTable([...HEADS, "figures behind it"], rows)];
  });
  return [
    `${date.slice(0, 10)}, ${machine.cores} × ${machine.cpu}, ${machine.system}, workerd ${machine.workerd}, ` +
      `Node ${machine.node}${machine.wrk === null ? "" : `, wrk ${machine.wrk}`}; ` +
      `${roundsOf({ extent })}.`,
    "",
    `${summary(measurements)}.`,
    ...tables,
    ...[...skipped, ...broken].flatMap(({ suite, why }) => ["", `Not measured: ${suite} (${why}).`]),
  ].join("\n");
}

/** How many bars are met. */
export function summary(measurements: readonly Measurement[]): string {
  const barred = measurements.filter(({ bar }) => bar !== undefined);
  return `${barred.filter(isMet).length} of ${barred.length} bars are met`;
}

const roundsOf = ({ extent: { rounds, seconds } }: Pick<Results, "extent">): string =>
  `${rounds === 1 ? "1 round" : `${rounds} rounds`} of ${seconds} s`;

const behind = ({ detail = {} }: Measurement): string =>
  Object.entries(detail)
    .map(
      ([name, value]) =>
        `${name} ${Number.isInteger(value) ? value.toLocaleString("en") : figure(value, "count")}`,
    )
    .join("; ");

/** Puts a new table into a page. @throws Error if the page has no marks for it */
export const withTable = (page: string, table: string): string =>
  between(page, "<!-- measured: npm run bench -- --write -->", "<!-- end of what was measured -->", table);

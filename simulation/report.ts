import { type Tally, WINDOWS } from "./basics/tally.ts";

/** The tally in words. */
export function report(tally: Tally, first: number, last: number): string {
  const lines = [
    `seeds ${first} to ${last}: ${tally.worlds} worlds, ${tally.checks} checks (${tally.overHttp} over HTTP, ${tally.overBridge} by bridges beside), ${tally.isolates} isolates, ${tally.commits} changes`,
    ...table("verdicts", tally.verdicts),
    ...table("faults", tally.faults),
    ...table("events", tally.events),
    "worst observed, seconds:",
    ...WINDOWS.filter((kind) => tally.windows.has(kind)).map(
      (kind) => `  ${kind}: ${((tally.windows.get(kind) as number) / 1000).toFixed(1)}`,
    ),
  ];
  return lines.join("\n");
}

const table = (title: string, counts: ReadonlyMap<string, number>): string[] => [
  `${title}:`,
  ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${name}: ${count}`),
];

import type { Tally } from "./basics/tally.ts";
import { showWorst, WINDOWS, type WindowKind } from "./basics/windows.ts";

/** The tally in words. */
export function report(tally: Tally, first: number, last: number): string {
  const lines = [
    `seeds ${first} to ${last}: ${tally.worlds} worlds, ${tally.checks} checks (${tally.overHttp} over HTTP, ${tally.overBridge} by bridges beside, ${tally.overReplica} of them answered by replicas), ${tally.isolates} isolates, ${tally.replicas} replicas, ${tally.commits} changes`,
    ...table("verdicts", tally.verdicts),
    ...table("faults", tally.faults),
    ...table("events", tally.events),
    "worst observed, nearest to its bound:",
  ];
  for (const kind of Object.keys(WINDOWS) as WindowKind[]) {
    const worst = tally.windows.get(kind);
    if (worst !== undefined) lines.push(`  ${kind}: ${showWorst(worst)}`);
  }
  return lines.join("\n");
}

const table = (title: string, counts: ReadonlyMap<string, number>): string[] => [
  `${title}:`,
  ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${name}: ${count}`),
];

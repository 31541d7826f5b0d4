/**
 * `node simulation/document.ts [--run FILE]... [--mutants FILE]`: puts what runs have left behind into the tables of
 * docs/consistency.md. Several runs are added up. Each table stands between two comments that name it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { between, markdownTable, tableOf } from "../testing/markdown.ts";
import { Tally } from "./basics/tally.ts";
import { showWorst, WINDOWS, type WindowKind } from "./basics/windows.ts";
import { type MutantRecord, type RunRecord, summaryOf } from "./record.ts";

const PAGE = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs", "consistency.md");

const shown = (count: number): string => count.toLocaleString("en-US");

const countsOf = (head: readonly string[], counts: ReadonlyMap<string, number>): string =>
  markdownTable(
    head,
    [...counts].map(([name, count]) => [name, shown(count)]),
  );

function boundsOf({ windows }: Tally): string {
  const worst = (kind: WindowKind): string => {
    const it = windows.get(kind);
    return it === undefined ? "" : showWorst(it);
  };
  return tableOf(Object.keys(WINDOWS) as WindowKind[], [
    ["answer", (kind) => WINDOWS[kind].answer],
    ["derived from the rules", (kind) => WINDOWS[kind].derived],
    ["worst observed", worst],
  ]);
}

function runOf(runs: readonly RunRecord[], tally: Tally): string {
  const seeds = runs.map(({ first, last, world }) => `${first} to ${last} (\`--world ${world}\`)`);
  return [
    `Seeds ${seeds.join(" and ")}: ${shown(tally.checks)} checks in ${shown(tally.worlds)} worlds, ${shown(tally.overHttp)} of`,
    `them over HTTP, and ${shown(tally.overBridge)} questions to bridges beside, ${shown(tally.overReplica)} of`,
    `them answered by replicas; ${shown(tally.isolates)} isolates, ${shown(tally.replicas)} replicas,`,
    `${shown(tally.commits)} changes, no violation.`,
  ].join("\n");
}

function mutantsOf(mutants: readonly MutantRecord[]): string {
  const all = mutants.flatMap(({ starts }) => starts);
  const missed = all.filter(({ assertion }) => assertion === null).length;
  const table = tableOf(
    mutants.map((record) => ({ ...record, ...summaryOf(record) })),
    [
      ["left out", ({ name }) => name],
      ["the rule", ({ rule }) => rule],
      ["caught by", ({ assertion }) => assertion ?? "**survived**"],
      ["starts", ({ caught, starts }) => `${caught} of ${starts.length}`],
      ["checks: median, most", ({ median, worst }) => `${shown(median)}, ${shown(worst)}`],
    ],
  );
  return `Of ${shown(all.length)} starts ${shown(missed)} did not catch their mutant.\n\n${table}`;
}

const { values } = parseArgs({
  options: {
    run: { type: "string", multiple: true, default: [] },
    mutants: { type: "string", multiple: true, default: [] },
  },
});
const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
let page = readFileSync(PAGE, "utf8");
const put = (name: string, text: string): void => {
  const [begin, end] = [`<!-- ${name}: made by simulation/document.ts -->`, `<!-- end of ${name} -->`];
  page = between(page, begin, end, `\n${text}\n`);
};
const runs = values.run.map((file) => read(file) as RunRecord);
if (runs.length > 0) {
  const tally = new Tally();
  for (const run of runs) tally.add(Tally.from(run));
  put("bounds", boundsOf(tally));
  put("run", runOf(runs, tally));
  put("verdicts", countsOf(["verdict", "answers"], tally.verdicts));
  put("faults", countsOf(["fault", "met"], tally.faults));
  put("events", countsOf(["event", "times"], tally.events));
}
for (const file of values.mutants) put("mutants", mutantsOf(read(file) as MutantRecord[]));
writeFileSync(PAGE, page);

/**
 * `node simulation/document.ts [--run FILE]... [--mutants FILE]...`: puts what runs have left behind into the tables of
 * docs/consistency.md. Several runs are added up. Mutants that no record is about keep their rows. Each table stands
 * between two comments that name it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { between, markdownTable, tableOf } from "../testing/markdown.ts";
import { Tally } from "./basics/tally.ts";
import { showWorst, WINDOWS, type WindowKind } from "./basics/windows.ts";
import { MUTANTS } from "./mutants/index.ts";
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

/** The row of one mutant. */
function rowOf(record: MutantRecord): readonly string[] {
  const { caught, assertion, median, worst } = summaryOf(record);
  const { name, rule, starts } = record;
  const checks = `${shown(median)}, ${shown(worst)}`;
  return [name, rule, assertion ?? "**survived**", `${caught} of ${starts.length}`, checks];
}

/** @param present the table so far: rows of mutants that no record is about stay */
function mutantsOf(records: readonly MutantRecord[], present: string): string {
  const rows = new Map(
    present
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map((line) => line.slice(2, -2).split(" | "))
      .map((cells) => [cells[0], cells]),
  );
  for (const record of records) rows.set(record.name, [...rowOf(record)]);
  const all = MUTANTS.map(({ name }) => {
    const row = rows.get(name);
    if (row === undefined) throw new Error(`no record has the mutant "${name}"`);
    return row;
  });
  const startsOf = (at: number): number =>
    all.reduce((sum, [, , , starts = ""]) => sum + Number(starts.split(" of ")[at]), 0);
  const [caught, starts] = [startsOf(0), startsOf(1)];
  const heads = ["left out", "the rule", "caught by", "starts", "checks: median, most"];
  return `Of ${shown(starts)} starts ${shown(starts - caught)} did not catch their mutant.\n\n${markdownTable(heads, all)}`;
}

const { values } = parseArgs({
  options: {
    run: { type: "string", multiple: true, default: [] },
    mutants: { type: "string", multiple: true, default: [] },
  },
});
const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
let page = readFileSync(PAGE, "utf8");
const put = (name: string, text: string | ((present: string) => string)): void => {
  const [begin, end] = [`<!-- ${name}: made by simulation/document.ts -->`, `<!-- end of ${name} -->`];
  const present = page.slice(page.indexOf(begin), page.indexOf(end));
  page = between(page, begin, end, `\n${typeof text === "string" ? text : text(present)}\n`);
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
if (values.mutants.length > 0)
  put("mutants", (present) =>
    mutantsOf(
      values.mutants.flatMap((file) => read(file) as MutantRecord[]),
      present,
    ),
  );
writeFileSync(PAGE, page);

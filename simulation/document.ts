/**
 * `node simulation/document.ts [--run FILE]... [--mutants FILE]`: puts what runs have left behind into the tables of
 * docs/consistency.md. Several runs are added up. Each table stands between two comments that name it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tally } from "./basics/tally.ts";
import { showWorst, WINDOWS, type WindowKind } from "./basics/windows.ts";
import { type MutantRecord, type RunRecord, summaryOf } from "./record.ts";

const PAGE = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs", "consistency.md");

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

const tableOf = (head: readonly string[], rows: readonly string[]): string =>
  [row(...head), row(...head.map(() => "---")), ...rows].join("\n");

const shown = (count: number): string => count.toLocaleString("en-US");

const countsOf = (head: readonly string[], counts: ReadonlyMap<string, number>): string =>
  tableOf(
    head,
    [...counts].map(([name, count]) => row(name, shown(count))),
  );

function boundsOf(tally: Tally): string {
  const rows = (Object.keys(WINDOWS) as WindowKind[]).map((kind) => {
    const worst = tally.windows.get(kind);
    return row(WINDOWS[kind].answer, WINDOWS[kind].derived, worst === undefined ? "" : showWorst(worst));
  });
  return tableOf(["answer", "derived from the rules", "worst observed"], rows);
}

function runOf(runs: readonly RunRecord[], tally: Tally): string {
  const seeds = runs.map(({ first, last, world }) => `${first} to ${last} (\`--world ${world}\`)`);
  return [
    `Seeds ${seeds.join(" and ")}: ${shown(tally.checks)} checks in ${shown(tally.worlds)} worlds, ${shown(tally.overHttp)} of`,
    `them over HTTP, and ${shown(tally.overBridge)} questions to bridges beside; ${shown(tally.isolates)} isolates,`,
    `${shown(tally.commits)} changes, no violation.`,
  ].join("\n");
}

function mutantsOf(mutants: readonly MutantRecord[]): string {
  const rows = mutants.map((record) => {
    const { name, rule, starts } = record;
    const { caught, assertion, median, worst } = summaryOf(record);
    const checks = `${shown(median)}, ${shown(worst)}`;
    return row(name, rule, assertion ?? "**survived**", `${caught} of ${starts.length}`, checks);
  });
  const all = mutants.flatMap(({ starts }) => starts);
  const missed = all.filter(({ assertion }) => assertion === null).length;
  return [
    `Of ${shown(all.length)} starts ${shown(missed)} did not catch their mutant.`,
    "",
    tableOf(["left out", "the rule", "caught by", "starts", "checks: median, most"], rows),
  ].join("\n");
}

/** @throws Error where the page has no such place */
function withBlock(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: made by simulation/document.ts -->`, `<!-- end of ${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place between "${begin}" and "${end}"`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

function main(args: readonly string[]): void {
  const files = { "--run": [] as string[], "--mutants": [] as string[] };
  for (let i = 0; i < args.length; i += 2) {
    const list = files[args[i] as keyof typeof files];
    const file = args[i + 1];
    if (list === undefined || file === undefined)
      throw new RangeError("usage: document.ts [--run FILE]... [--mutants FILE]");
    list.push(file);
  }
  const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
  let page = readFileSync(PAGE, "utf8");
  const runs = files["--run"].map((file) => read(file) as RunRecord);
  if (runs.length > 0) {
    const tally = new Tally();
    for (const run of runs) tally.add(Tally.from(run));
    page = withBlock(page, "bounds", boundsOf(tally));
    page = withBlock(page, "run", runOf(runs, tally));
    page = withBlock(page, "verdicts", countsOf(["verdict", "answers"], tally.verdicts));
    page = withBlock(page, "faults", countsOf(["fault", "met"], tally.faults));
    page = withBlock(page, "events", countsOf(["event", "times"], tally.events));
  }
  for (const file of files["--mutants"])
    page = withBlock(page, "mutants", mutantsOf(read(file) as MutantRecord[]));
  writeFileSync(PAGE, page);
}

main(process.argv.slice(2));

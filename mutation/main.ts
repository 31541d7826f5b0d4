/**
 * `npm run mutate [-- [--sample LINES] [--simulate [--listed]] [--seed N] [PATH...]]`: changes the code in small ways,
 * one at a time, and requires that a test notices. A PATH is a folder or a file of mutation/areas.ts; all of them if
 * none is given. The outcomes of whole files are kept in outcomes.json.
 *
 * `--sample` tries the mutants of that many lines of each area, picked by `--seed`.
 * `--simulate` tries the survivors of the last run in the simulation, those that equivalents.json does not list;
 * with `--listed` those that it lists too.
 *
 * Exit status 1 if a mutant survives that equivalents.json does not list, if an entry there is out of date, or if the
 * simulation notices a mutant that the list calls equivalent.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AREAS, filesOf, ROOT, testsOf } from "./areas.ts";
import { isEquivalent, staleAmong } from "./equivalents.ts";
import { fileOutcome, isCurrent, readOutcomes, type Survivor, storeOutcomes } from "./outcomes.ts";
import { mutate, type Outcome } from "./run.ts";
import { simulateSurvivors } from "./simulate.ts";

const { values, positionals } = parseArgs({
  options: {
    sample: { type: "string" },
    simulate: { type: "boolean", default: false },
    listed: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
  allowPositionals: true,
});

const paths = positionals.map((path) => path.replace(/\/$/, ""));
const isWanted = (file: string): boolean =>
  paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`));

process.exitCode = values.simulate ? await simulateAll() : await mutateAll();

async function mutateAll(): Promise<number> {
  const outcomes: Outcome[] = [];
  const complete: string[] = [];
  for (const area of AREAS) {
    const files = filesOf(area).filter(isWanted);
    if (files.length === 0) continue;
    const begun = Date.now();
    const lines =
      values.sample === undefined ? undefined : sampleOf(files, Number(values.sample), Number(values.seed));
    const found: Outcome[] = [];
    for (const tests of new Set(files.map((file) => testsOf(file).join()))) {
      const some = files.filter((file) => testsOf(file).join() === tests);
      found.push(...(await mutate(some, lines)));
    }
    outcomes.push(...found);
    console.log(`\n${area.folder}: ${scoreOf(found)}, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
    if (lines !== undefined) continue;
    const ofFile = (file: string): Outcome[] => found.filter((each) => each.file === file);
    storeOutcomes(files.map((file) => fileOutcome(file, ofFile(file))));
    for (const file of files) console.log(`  ${file}: ${scoreOf(ofFile(file))}`);
    complete.push(...files);
  }
  const survivors = outcomes.filter(({ fate }) => fate !== "noticed");
  const unknown = survivors.filter((each) => !isEquivalent(each));
  const stale = staleAmong(complete, survivors);
  for (const survivor of unknown) console.log(inWords(survivor));
  for (const { file, code, becomes } of stale) {
    console.log(`out of date in equivalents.json: ${file}\n  - ${code}\n  + ${becomes}`);
  }
  console.log(
    `${scoreOf(outcomes)}; ${unknown.length} survivors without a reason, ${stale.length} entries out of date`,
  );
  return unknown.length + stale.length === 0 ? 0 : 1;
}

async function simulateAll(): Promise<number> {
  const wanted = readOutcomes().filter(({ file }) => isWanted(file));
  const changed = wanted.filter((each) => !isCurrent(each)).map(({ file }) => file);
  if (changed.length > 0)
    throw new Error(`changed since the last run, try them again: ${changed.join(", ")}`);
  const survivors = wanted.flatMap((each) => each.survivors);
  const tried = survivors.filter((each) => values.listed || !isEquivalent(each));
  const results = new Map<Survivor, Survivor>();
  await simulateSurvivors(tried, Number(values.seed), (survivor, simulation) => {
    results.set(survivor, { ...survivor, simulation });
    const { checks, assertion } = simulation;
    const what = assertion === null ? "not noticed" : `noticed by "${assertion}"`;
    console.log(`${inWords(survivor)}\n  ${what}, ${checks} checks`);
  });
  storeOutcomes(
    wanted.map((each) => ({ ...each, survivors: each.survivors.map((one) => results.get(one) ?? one) })),
  );
  const noticed = [...results.values()].filter(({ simulation }) => simulation?.assertion !== null);
  console.log(`the simulation notices ${noticed.length} of ${tried.length} survivors`);
  return noticed.some(isEquivalent) ? 1 : 0;
}

function inWords({ file, from, operator, code, becomes, fate }: Outcome): string {
  return `${fate}: ${file}:${from.line} ${operator}\n  - ${code}\n  + ${becomes}`;
}

function scoreOf(all: readonly Outcome[]): string {
  const noticed = all.filter(({ fate }) => fate === "noticed").length;
  return `${noticed} of ${all.length} mutants noticed (${((100 * noticed) / Math.max(1, all.length)).toFixed(1)} %)`;
}

/** Lines with code, picked at random. */
function sampleOf(files: readonly string[], count: number, seed: number): Map<string, number[]> {
  const lines = files.flatMap((file) =>
    readFileSync(join(ROOT, file), "utf8")
      .split("\n")
      .flatMap((text, i) => (/^\s*(?:$|[/*}]|import |export \*)/.test(text) ? [] : [{ file, line: i + 1 }])),
  );
  const picked = new Map<string, number[]>(files.map((file) => [file, []]));
  let state = seed >>> 0;
  for (let i = 0; i < count && lines.length > 0; i++) {
    // A linear congruential generator suffices to pick lines.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const [one] = lines.splice(Math.floor((state / 2 ** 32) * lines.length), 1);
    if (one !== undefined) picked.get(one.file)?.push(one.line);
  }
  return picked;
}

/** The benchmark: runs the suites and shows every measurement beside its bar. `npm run bench -- --help` */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { RESULTS } from "./cost/document.ts";
import { writeCost } from "./cost.ts";
import { chart } from "./report/chart.ts";
import { isMet, type Measurement, type Suite } from "./report/measurement.ts";
import { merge, suiteOf } from "./report/merge.ts";
import { PAGES, withResults } from "./report/pages.ts";
import { fromJson, type Left, type Results, toJson } from "./report/results.ts";
import { markdown, plainTable, summary, withTable } from "./report/table.ts";
import { thisMachine } from "./rig/machine.ts";
import { root } from "./rig/processes.ts";
import { endWorlds } from "./rig/world.ts";
import { readArguments, type Settings, USAGE } from "./settings.ts";
import { suites } from "./suites/index.ts";

const names = suites.map(({ name }) => name);
const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;

async function runSuites(chosen: readonly Suite[], { extent }: Settings): Promise<Results> {
  const start = performance.now();
  const measurements: Measurement[] = [];
  const skipped: Left[] = [];
  const broken: Left[] = [];
  const took: Record<string, number> = {};
  for (const suite of chosen) {
    const lacking = suite.lacks?.() ?? [];
    if (lacking.length > 0) {
      skipped.push({ suite: suite.name, why: `needs the Debian package ${lacking.join(", ")}` });
      continue;
    }
    const since = performance.now();
    try {
      const tell = (line: string): void => console.error(`${seconds(start)} s  ${suite.name}: ${line}`);
      const found = await suite.run(extent, tell);
      const foreign = found.find((each) => suiteOf(each) !== suite.name);
      if (foreign !== undefined) throw new Error(`${foreign.id} must start with ${suite.name}`);
      measurements.push(...found);
    } catch (error) {
      console.error(error);
      broken.push({ suite: suite.name, why: error instanceof Error ? error.message : String(error) });
    }
    took[suite.name] = seconds(since);
  }
  await endWorlds();
  const date = new Date().toISOString();
  return { date, machine: thisMachine(), extent, took, measurements, skipped, broken };
}

/** Updates docs/performance.md, its chart and its results, and the other pages that rest on the results. */
function writeDocs(results: Results): void {
  const file = join(root, RESULTS);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, toJson(results));
  writeFileSync(join(dirname(file), "chart.svg"), chart(results.measurements));
  rewrite("docs/performance.md", (text) => withTable(text, markdown(results)));
  for (const page of PAGES) rewrite(page.path, (text) => withResults(text, page, results));
  writeCost(file);
}

function rewrite(path: string, change: (text: string) => string): void {
  const file = join(root, path);
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

const resultsIn = (path: string): Results => fromJson(readFileSync(path, "utf8"));

/** What is recorded, with these runs' suites in place of its own. */
const recordedWith = (runs: readonly Results[]): Results =>
  runs.reduce((recorded, run) => merge(recorded, run, names), resultsIn(join(root, RESULTS)));

function show({ measurements, skipped, broken, took }: Results): void {
  console.log(`${plainTable(measurements)}\n\n${summary(measurements)}.`);
  for (const each of measurements.filter((it) => !isMet(it)))
    console.log(`not met: ${each.what} (${each.id})`);
  for (const { suite, why } of skipped) console.log(`skipped: ${suite}, ${why}`);
  for (const { suite, why } of broken) console.log(`broken: ${suite}, ${why}`);
  const all = Object.values(took).reduce((sum, each) => sum + each, 0);
  const each = Object.entries(took).map(([name, seconds]) => `${name} ${seconds}`);
  console.log(`${Math.round(all)} s: ${each.join(", ")}`);
}

async function main(): Promise<void> {
  if (process.argv.includes("--help")) {
    console.log(USAGE);
    return;
  }
  const settings = readArguments(process.argv.slice(2), names);
  if (settings.record.length > 0) return writeDocs(recordedWith(settings.record.map(resultsIn)));
  const chosen = suites.filter(({ name }) => settings.only?.includes(name) ?? true);
  const results = await runSuites(chosen, settings);
  show(results);
  if (settings.json !== null) writeFileSync(settings.json, toJson(results));
  // A whole run replaces all that is recorded.
  if (settings.write) writeDocs(settings.only === null ? results : recordedWith([results]));
  const isComplete = results.skipped.length === 0 && results.measurements.every(isMet);
  if (results.broken.length > 0 || (settings.strict && !isComplete)) process.exitCode = 1;
}

// An interrupt ends the servers too: they end with this process.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
await main();

/**
 * `npm run mutate [-- [--sample LINES] [--seed N] [PATH...]]`: changes the code in small ways, one at a time, and
 * requires that a test notices. A PATH is a folder or a file of mutation/areas.ts; all of them where none is given.
 * `--sample` tries the mutants of that many lines of each area, picked by `--seed`.
 *
 * Exit status 1 where a mutant survives that equivalents.json does not hold, or where an entry there is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AREAS, filesOf, ROOT } from "./areas.ts";
import { isEquivalent, staleAmong } from "./equivalents.ts";
import { REPORTS, reportOf } from "./report.ts";
import { mutate, type Outcome } from "./run.ts";

const { values, positionals } = parseArgs({
  options: { sample: { type: "string" }, seed: { type: "string", default: "1" } },
  allowPositionals: true,
});

const paths = positionals.map((path) => path.replace(/\/$/, ""));
const isWanted = (file: string): boolean =>
  paths.length === 0 || paths.some((path) => file === path || file.startsWith(`${path}/`));
const wanted = AREAS.map((area) => ({ area, files: filesOf(area).filter(isWanted) }));
const outcomes: Outcome[] = [];
const complete: string[] = [];

for (const { area, files } of wanted) {
  if (files.length === 0) continue;
  const begun = Date.now();
  const lines =
    values.sample === undefined ? undefined : sampleOf(files, Number(values.sample), Number(values.seed));
  const found = await mutate(files, lines);
  outcomes.push(...found);
  console.log(`\n${area.folder}: ${scoreOf(found)}, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  if (lines !== undefined) continue;
  mkdirSync(REPORTS, { recursive: true });
  for (const file of files) {
    const own = found.filter((each) => each.file === file);
    writeFileSync(reportOf(file), JSON.stringify(own, null, 1));
    console.log(`  ${file}: ${scoreOf(own)}`);
  }
  complete.push(...files);
}

const survivors = outcomes.filter(({ fate }) => fate !== "noticed");
const unknown = survivors.filter((each) => !isEquivalent(each));
const stale = staleAmong(complete, survivors);
for (const { file, from, operator, code, becomes, fate } of unknown) {
  console.log(`${fate}: ${file}:${from.line} ${operator}\n  - ${code}\n  + ${becomes}`);
}
for (const { file, code, becomes } of stale) {
  console.log(`out of date in equivalents.json: ${file}\n  - ${code}\n  + ${becomes}`);
}
console.log(
  `${scoreOf(outcomes)}; ${unknown.length} survivors without a reason, ${stale.length} entries out of date`,
);
process.exitCode = unknown.length + stale.length === 0 ? 0 : 1;

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

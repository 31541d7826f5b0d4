/**
 * `npm run simulate:mutants [-- [--seed N] [--record FILE] NAME...]`: leaves each rule of the list out in a copy of the
 * tree, and runs the simulation from random seeds, or from seeds that follow from N. Exit status 1 if a mutant is
 * caught in too few starts, or if a patch does not fit the code any more.
 */
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { Random } from "../testing/random.ts";
import { MUTANTS, type Mutant } from "./mutants/index.ts";
import { patched } from "./mutants/patch.ts";
import {
  CHECKS_OF_A_START,
  isCaught,
  MUST_CATCH,
  type MutantRecord,
  STARTS,
  type Start,
  summaryOf,
} from "./record.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a run of the simulation needs of the tree. */
const NEEDED = ["src", "testing", "simulation", "package.json"];
/** Runs at the same time. */
const WORKERS = 2;
/** Seeds from which worlds are counted: far enough apart that starts share none. */
const SEEDS = 1_000_000_000;

/** A copy of the tree in which rules may be left out. */
class Workplace {
  readonly #root = mkdtempSync(join(tmpdir(), "rollcall-mutants-"));

  constructor() {
    for (const path of NEEDED) cpSync(join(ROOT, path), join(this.#root, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.#root, "node_modules"));
  }

  async try({ name, rule, patches }: Mutant, seeds: readonly number[]): Promise<MutantRecord> {
    const texts = patched(patches, (file) => readFileSync(join(ROOT, file), "utf8"));
    for (const [file, text] of texts) writeFileSync(join(this.#root, file), text);
    try {
      return { name, rule, starts: await this.#run(seeds) };
    } finally {
      for (const file of texts.keys()) cpSync(join(ROOT, file), join(this.#root, file));
    }
  }

  async #run(seeds: readonly number[]): Promise<Start[]> {
    // It fails, with its complaints, if it does not end well: a mutant that does not run is no mutant.
    const args = ["simulation/starts.ts", ...seeds.map(String)];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: this.#root });
    const starts = stdout.split("\n").filter((line) => line !== "");
    if (starts.length !== seeds.length) throw new Error(stderr);
    return starts.map((line) => JSON.parse(line) as Start);
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const options = { seed: { type: "string" }, record: { type: "string" } } as const;
  const { values, positionals: names } = parseArgs({ options, allowPositionals: true });
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new RangeError(`no such mutant: ${unknown.join(", ")}`);
  const mutants = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const { patches } of mutants) patched(patches, (file) => readFileSync(join(ROOT, file), "utf8"));
  const seed = Number(values.seed ?? randomInt(SEEDS));
  console.log(
    `seed ${seed}: ${STARTS} starts of ${CHECKS_OF_A_START} checks each, ${MUST_CATCH} of them must catch`,
  );
  const waiting = [...mutants];
  const records = new Map<string, MutantRecord>();
  const work = async (): Promise<void> => {
    const place = new Workplace();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const random = new Random(seed, mutant.name);
        const seeds = Array.from({ length: STARTS }, () => random.between(1, SEEDS));
        const record = await place.try(mutant, seeds);
        records.set(mutant.name, record);
        console.log(inWords(record));
      }
    } finally {
      place.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  const inOrder = mutants.map(({ name }) => records.get(name) as MutantRecord);
  if (values.record !== undefined) writeFileSync(values.record, `${JSON.stringify(inOrder, null, 2)}\n`);
  const caught = inOrder.filter(isCaught).length;
  console.log(`${caught} of ${mutants.length} mutants caught`);
  return caught === mutants.length && caught > 0 ? 0 : 1;
}

function inWords(record: MutantRecord): string {
  const { caught, assertion, median, worst } = summaryOf(record);
  const word = isCaught(record) ? "caught  " : "SURVIVED";
  const checks = `checks: median ${median}, worst ${worst}`;
  return `${word}  ${record.name}: ${caught} of ${record.starts.length} starts, ${assertion ?? record.rule}; ${checks}`;
}

process.exitCode = await main();

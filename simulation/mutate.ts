/**
 * `npm run simulate:mutants [-- [--seed N] [--record FILE] NAME...]`: leaves each rule of the list out in a copy of the
 * tree, and runs the simulation from random seeds, or from seeds that follow from N. Exit status 1 if a mutant is
 * caught in too few starts, or if a patch does not fit the code any more.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Random } from "../testing/random.ts";
import { MUTANTS } from "./mutants/index.ts";
import { patched } from "./mutants/patch.ts";
import { CHECKS_OF_A_START, isCaught, MUST_CATCH, type MutantRecord, STARTS, summaryOf } from "./record.ts";
import { textOf, Workplace } from "./workplace.ts";

/** Runs at the same time. */
const WORKERS = 2;
/** Seeds from which worlds are counted: far enough apart that starts share none. */
const SEEDS = 1_000_000_000;

async function main(): Promise<number> {
  const options = { seed: { type: "string" }, record: { type: "string" } } as const;
  const { values, positionals: names } = parseArgs({ options, allowPositionals: true });
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new RangeError(`no such mutant: ${unknown.join(", ")}`);
  const mutants = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const { patches } of mutants) patched(patches, textOf);
  const seed = Number(values.seed ?? randomInt(SEEDS));
  console.log(
    `seed ${seed}: ${STARTS} starts of ${CHECKS_OF_A_START} checks each, ${MUST_CATCH} of them must catch`,
  );
  const waiting = [...mutants];
  const records = new Map<string, MutantRecord>();
  const inOrder = (): MutantRecord[] =>
    mutants.flatMap(({ name }) => {
      const record = records.get(name);
      return record === undefined ? [] : [record];
    });
  const work = async (): Promise<void> => {
    const place = new Workplace();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const random = new Random(seed, mutant.name);
        const seeds = Array.from({ length: STARTS }, () => random.between(1, SEEDS));
        const { name, rule, patches } = mutant;
        // A mutant that does not run is no mutant, so an error ends the run.
        const record = { name, rule, starts: await place.simulate(patched(patches, textOf), seeds) };
        records.set(mutant.name, record);
        // A run that is ended leaves what it has.
        if (values.record !== undefined)
          writeFileSync(values.record, `${JSON.stringify(inOrder(), null, 2)}\n`);
        console.log(inWords(record));
      }
    } finally {
      place.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  const caught = inOrder().filter(isCaught).length;
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

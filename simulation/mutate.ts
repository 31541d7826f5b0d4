/**
 * `npm run simulate:mutants [-- [--record FILE] NAME...]`: leaves each rule of the list out in a copy of the tree, and requires that
 * the simulation notices. Exit status 1 where one survives, or where a patch does not fit the code any more.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS, type Mutant, type Patch } from "./mutants/index.ts";
import type { MutantRecord } from "./record.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a run of the simulation needs of the tree. */
const NEEDED = ["src", "testing", "simulation", "package.json"];
/** Runs at the same time. */
const WORKERS = 2;
/** A mutant that is not caught by then has survived. */
const PATIENCE = 60_000;
/** Checks of one world: smaller worlds, and more of them. */
const WORLD = 3_000;

/** A copy of the tree in which rules may be left out. */
class Workplace {
  readonly #root = mkdtempSync(join(tmpdir(), "rollcall-mutants-"));

  constructor() {
    for (const path of NEEDED) {
      mkdirSync(dirname(join(this.#root, path)), { recursive: true });
      cpSync(join(ROOT, path), join(this.#root, path), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.#root, "node_modules"));
  }

  async try(mutant: Mutant): Promise<MutantRecord> {
    const begun = Date.now();
    for (const { file } of mutant.patches) cpSync(join(ROOT, file), join(this.#root, file));
    for (const patch of mutant.patches) this.#apply(patch);
    try {
      const caught = await this.#run(mutant.seed ?? 1);
      const { name, rule } = mutant;
      return { name, rule, caught, seconds: (Date.now() - begun) / 1000 };
    } finally {
      for (const { file } of mutant.patches) cpSync(join(ROOT, file), join(this.#root, file));
    }
  }

  #apply({ file, find, put }: Patch): void {
    const path = join(this.#root, file);
    writeFileSync(path, patched(readFileSync(path, "utf8"), { file, find, put }));
  }

  #run(seed: number): Promise<MutantRecord["caught"]> {
    const args = ["simulation/main.ts", "--seed", String(seed), "--checks", "100000000", "--shrink", "0"];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [...args, "--world", String(WORLD)], { cwd: this.#root });
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      let text = "";
      let complaints = "";
      child.stdout.on("data", (data) => {
        text += data;
      });
      child.stderr.on("data", (data) => {
        complaints += data;
      });
      child.on("error", reject);
      child.on("close", () => {
        clearTimeout(timer);
        const found = /^VIOLATION in seed (\d+) of "([^"]+)"/m.exec(text);
        // A mutant that does not run is no mutant.
        if (found === null && complaints !== "") reject(new Error(complaints));
        else resolve(found === null ? null : { assertion: found[2] as string, seed: Number(found[1]) });
      });
    });
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function patched(text: string, { file, find, put }: Patch): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${find}`);
  return parts.join(put);
}

/** Each patch has to fit the code as it is, one after the other. */
function requireFit(mutants: readonly Mutant[]): void {
  for (const { name, patches } of mutants) {
    const texts = new Map<string, string>();
    for (const patch of patches) {
      const text = texts.get(patch.file) ?? readFileSync(join(ROOT, patch.file), "utf8");
      try {
        texts.set(patch.file, patched(text, patch));
      } catch (error) {
        throw new Error(`mutant "${name}" does not fit: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}

async function main(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--record");
  const file = at < 0 ? null : args[at + 1];
  const names = at < 0 ? args : args.toSpliced(at, 2);
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (file === undefined || unknown.length > 0)
    throw new RangeError(`usage: simulate:mutants [--record FILE] [NAME...]; unknown: ${unknown.join(", ")}`);
  const mutants = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  requireFit(mutants);
  const waiting = [...mutants];
  const records = new Map<string, MutantRecord>();
  const work = async (): Promise<void> => {
    const place = new Workplace();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const record = await place.try(mutant);
        records.set(mutant.name, record);
        console.log(inWords(record));
      }
    } finally {
      place.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  const inOrder = mutants.map(({ name }) => records.get(name) as MutantRecord);
  if (file !== null) writeFileSync(file, `${JSON.stringify(inOrder, null, 2)}\n`);
  const caught = inOrder.filter((record) => record.caught !== null).length;
  console.log(`${caught} of ${mutants.length} mutants caught`);
  return caught === mutants.length && caught > 0 ? 0 : 1;
}

function inWords({ name, rule, caught, seconds }: MutantRecord): string {
  const took = `(${seconds.toFixed(1)} s)`;
  if (caught === null) return `SURVIVED  ${name}: ${rule} ${took}`;
  return `caught  ${name}: ${caught.assertion}, seed ${caught.seed} ${took}`;
}

process.exitCode = await main(process.argv.slice(2));

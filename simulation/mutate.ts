/**
 * `npm run simulate:mutants [-- NAME...]`: leaves each rule of the list out in a copy of the tree, and requires that
 * the simulation notices. Exit status 1 where one survives, or where a patch does not fit the code any more.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS, type Mutant, type Patch } from "./mutants/index.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a run of the simulation needs of the tree. */
const NEEDED = ["src", "simulation", "package.json"];
/** Runs at the same time. */
const WORKERS = 2;
/** A mutant that is not caught by then has survived. */
const PATIENCE = 60_000;
/** Checks of one world: smaller worlds, and more of them. */
const WORLD = 5_000;

interface Verdict {
  readonly mutant: Mutant;
  /** What caught it, null where nothing did. */
  readonly caught: string | null;
  readonly seconds: number;
}

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

  async try(mutant: Mutant): Promise<Verdict> {
    const begun = Date.now();
    for (const { file } of mutant.patches) cpSync(join(ROOT, file), join(this.#root, file));
    for (const patch of mutant.patches) this.#apply(patch);
    try {
      const caught = await this.#run(mutant.seed ?? 1);
      return { mutant, caught, seconds: (Date.now() - begun) / 1000 };
    } finally {
      for (const { file } of mutant.patches) cpSync(join(ROOT, file), join(this.#root, file));
    }
  }

  #apply({ file, find, put }: Patch): void {
    const path = join(this.#root, file);
    writeFileSync(path, patched(readFileSync(path, "utf8"), { file, find, put }));
  }

  #run(seed: number): Promise<string | null> {
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
        const found = /^VIOLATION in (seed \d+): ([^:]+(?:: bound)?)/m.exec(text);
        // A mutant that does not run is no mutant.
        if (found === null && complaints !== "") reject(new Error(complaints));
        else resolve(found === null ? null : `${found[2]}, ${found[1]}`);
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

async function main(names: readonly string[]): Promise<number> {
  const mutants = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  requireFit(mutants);
  const waiting = [...mutants];
  const survivors: string[] = [];
  const work = async (): Promise<void> => {
    const place = new Workplace();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const { caught, seconds } = await place.try(mutant);
        if (caught === null) survivors.push(mutant.name);
        console.log(
          `${caught === null ? "SURVIVED" : "caught"}  ${mutant.name}: ${caught ?? mutant.rule} (${seconds.toFixed(1)} s)`,
        );
      }
    } finally {
      place.close();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  console.log(`${mutants.length - survivors.length} of ${mutants.length} mutants caught`);
  return survivors.length === 0 && mutants.length > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));

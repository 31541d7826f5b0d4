/** A copy of the tree in which code is changed, and in which the simulation runs then. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Start } from "./record.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a run of the simulation needs of the tree. */
const NEEDED = ["src", "testing", "simulation", "package.json"];

/** The text of a file of the tree. */
export const textOf = (file: string): string => readFileSync(join(ROOT, file), "utf8");

export class Workplace {
  readonly #root = mkdtempSync(join(tmpdir(), "rollcall-mutants-"));

  constructor() {
    for (const path of NEEDED) cpSync(join(ROOT, path), join(this.#root, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.#root, "node_modules"));
  }

  /**
   * Simulates worlds from each seed on, with other texts in some files.
   * @param limit milliseconds after which a run is ended; none by default
   * @throws Error if the changed tree does not run, or not to its end
   */
  async simulate(
    texts: ReadonlyMap<string, string>,
    seeds: readonly number[],
    limit?: number,
  ): Promise<Start[]> {
    for (const [file, text] of texts) writeFileSync(join(this.#root, file), text);
    try {
      return await this.#run(seeds, limit);
    } finally {
      for (const file of texts.keys()) cpSync(join(ROOT, file), join(this.#root, file));
    }
  }

  async #run(seeds: readonly number[], timeout = 0): Promise<Start[]> {
    const args = ["simulation/starts.ts", ...seeds.map(String)];
    const options = { cwd: this.#root, timeout, killSignal: "SIGKILL" } as const;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
    const starts = stdout.split("\n").filter((line) => line !== "");
    if (starts.length !== seeds.length) throw new Error(stderr);
    return starts.map((line) => JSON.parse(line) as Start);
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** A copy of the tree in which code is changed, and in which the simulation runs then. */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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
   * @param limit milliseconds after which a run ends
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

  #run(seeds: readonly number[], timeout?: number): Promise<Start[]> {
    return new Promise((resolve, reject) => {
      const args = ["simulation/starts.ts", ...seeds.map(String)];
      const child = spawn(process.execPath, args, { cwd: this.#root, timeout, killSignal: "SIGKILL" });
      let [out, complaints] = ["", ""];
      child.stdout.on("data", (data) => {
        out += data;
      });
      child.stderr.on("data", (data) => {
        complaints += data;
      });
      child.on("error", reject);
      child.on("close", (code, signal) => {
        const starts = out.split("\n").filter((line) => line !== "");
        if (code === 0 && starts.length === seeds.length) {
          resolve(starts.map((line) => JSON.parse(line) as Start));
        } else reject(new Error(signal === null ? complaints : `does not end within ${timeout} ms`));
      });
    });
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

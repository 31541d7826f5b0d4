import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { MUTANTS } from "../../simulation/mutants/index.ts";
import { patched } from "../../simulation/mutants/patch.ts";
import { FULL, ifFull } from "../support/full.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Run {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a script of the simulation as a process. */
const run = (script: string, ...args: readonly string[]): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "simulation", script), ...args], { cwd: root });
    let out = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out }));
  });

const withoutTime = (out: string): string[] => {
  const lines = out.trimEnd().split("\n");
  expect(lines.at(-1)).toMatch(/^elapsed /);
  return lines.slice(0, -1);
};

describe("the simulation", () => {
  it("finds nothing in a fixed budget of seeds", { timeout: 900_000 }, async () => {
    const checks = FULL ? "200000" : "8000";
    const { code, out } = await run("main.ts", "--seed", "1", "--checks", checks, "--world", "8000");
    expect(out).not.toContain("VIOLATION");
    expect(code).toBe(0);
    expect(out).toContain("worst observed");
  });

  it("is the same to the byte for one seed", async () => {
    const args = ["--seed", "77", "--world", FULL ? "4000" : "500"];
    const [first, second] = await Promise.all([run("main.ts", ...args), run("main.ts", ...args)]);
    expect(withoutTime(first.out)).toEqual(withoutTime(second.out));
  });

  it.runIf(FULL)(ifFull("catches a rule that is left out"), async () => {
    const { code, out } = await run("mutate.ts", "--seed", "1", "a confirmation never expires");
    expect(out).toContain("1 of 1 mutants caught");
    expect(code).toBe(0);
  });

  it.each(MUTANTS)("can leave out a rule of the code: $name", ({ patches }) => {
    const read = (file: string): string => readFileSync(join(root, file), "utf8");
    const files = new Set(patches.map(({ file }) => file));
    expect(new Set(patched(patches, read).keys())).toEqual(files);
  });

  it("has a page that tells of every rule left out, and what caught it", () => {
    const page = readFileSync(join(root, "docs", "consistency.md"), "utf8");
    const told = [...page.matchAll(/^\| (.+?) \| .+ \| .+ \| \d of \d \| [\d,]+, [\d,]+ \|$/gm)].map(
      (match) => match[1],
    );
    expect(told).toEqual(MUTANTS.map(({ name }) => name));
  });

  it("says how it is used", async () => {
    const { code } = await run("main.ts", "--sead", "1");
    expect(code).not.toBe(0);
  });
});

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isFull } from "./full.ts";

it("all is tried in CI and with ROLLCALL_FULL=1, which decides where both are set", () => {
  expect([{}, { CI: "" }, { CI: "true", ROLLCALL_FULL: "0" }].map(isFull)).toEqual([false, false, false]);
  expect([{ CI: "true" }, { ROLLCALL_FULL: "1" }].map(isFull)).toEqual([true, true]);
});

it("every test that only CI runs says so in its title", () => {
  const cwd = join(import.meta.dirname, "..");
  const skipped = globSync("**/*.ts", { cwd, exclude: ["support/full*.ts"] }).flatMap((file) => {
    const text = readFileSync(join(cwd, file), "utf8");
    const found = text.matchAll(/runIf\(FULL\)|FULL \? it[.\w]* : it\.skip|\|\| !(?:FULL|isTried)\)/g);
    // From where it is skipped to its title.
    return [...found].map(({ index }) => ({ file, test: text.slice(index, index + 250) }));
  });
  expect(skipped.length).toBeGreaterThan(30);
  expect(skipped.filter(({ test }) => !test.includes("ifFull("))).toEqual([]);
});

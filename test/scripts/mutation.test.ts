import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AREAS, type Area, areaOf, filesOf, ROOT } from "../../mutation/areas.ts";
import { equivalentsTable, othersTable, PAGE, scoresTable } from "../../mutation/document.ts";
import { EQUIVALENTS } from "../../mutation/equivalents.ts";
import { type FileOutcome, readOutcomes } from "../../mutation/outcomes.ts";

describe("the mutants that change nothing", () => {
  it("are each of code that still stands there, with a reason, and listed once", () => {
    for (const { file, code, becomes, why } of EQUIVALENTS) {
      expect(areaOf(file).folder).not.toBe("");
      const source = readFileSync(join(ROOT, file), "utf8").replace(/\s+/g, " ");
      expect(source, `${file}: ${code}`).toContain(code);
      expect(becomes).not.toBe(code);
      expect(why.length, `${file}: ${code}`).toBeGreaterThan(10);
    }
    const keys = EQUIVALENTS.map(({ file, code, becomes }) => [file, code, becomes].join("\n"));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("the last run over each file", () => {
  it.each(AREAS.map(({ folder }) => folder))("notices at least 95 %% of the mutants of %s", (folder) => {
    const area = AREAS.find((each) => each.folder === folder) as Area;
    const outcomes = readOutcomes().filter(({ file }) => filesOf(area).includes(file));
    expect(outcomes.map(({ file }) => file)).toEqual(filesOf(area));
    const sum = (of: (each: FileOutcome) => number): number =>
      outcomes.reduce((total, each) => total + of(each), 0);
    expect(sum(({ noticed }) => noticed) / sum(({ mutants }) => mutants)).toBeGreaterThanOrEqual(0.95);
  });

  it("is shown in docs/consistency.md with every survivor", () => {
    const page = readFileSync(PAGE, "utf8");
    expect(page).toContain(scoresTable());
    expect(page).toContain(othersTable());
    expect(page).toContain(equivalentsTable());
  });
});

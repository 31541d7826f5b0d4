import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { areaOf, ROOT } from "../../mutation/areas.ts";
import { equivalentsTable, PAGE } from "../../mutation/document.ts";
import { EQUIVALENTS } from "../../mutation/equivalents.ts";

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

  it("stand in docs/consistency.md as in the list", () => {
    expect(readFileSync(PAGE, "utf8")).toContain(equivalentsTable());
  });
});

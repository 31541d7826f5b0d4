import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PAGES, withResults } from "../../bench/report/pages.ts";
import { fromJson } from "../../bench/report/results.ts";
import { markdown, withTable } from "../../bench/report/table.ts";

const recorded = fromJson(readFileSync("docs/performance/results.json", "utf8"));

describe("the figures in the docs", () => {
  it("are those of the recorded results: npm run bench -- --write", () => {
    const page = readFileSync("docs/performance.md", "utf8");
    expect(withTable(page, markdown(recorded))).toBe(page);
  });

  it.each(PAGES.map((page) => [page.path, page] as const))("and so are those in %s", (path, page) => {
    const text = readFileSync(path, "utf8");
    expect(withResults(text, page, recorded)).toBe(text);
  });

  it("cannot be written without their measurements, or into a page without the marks", () => {
    const [page] = PAGES;
    if (page === undefined) throw new Error("no page has figures");
    const text = readFileSync(page.path, "utf8");
    expect(() => withResults(text, page, { ...recorded, measurements: [] })).toThrow("have no measurement");
    expect(() => withResults("", page, recorded)).toThrow("lacks the marks");
  });
});

/* docs/laws.md names the tests of each clause of each law. This test checks the page against the tests and the laws. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const FOLDER = import.meta.dirname;

interface Row {
  readonly law: string;
  readonly clause: string;
  readonly file: string;
  readonly test: string;
}

/** The rows of the tables in docs/laws.md, each with its law. */
function rows(): Row[] {
  const page = readFileSync(join(ROOT, "docs", "laws.md"), "utf8");
  return page.split(/^## /m).flatMap((section) => {
    const law = /^Law (\d)/.exec(section)?.[1];
    if (law === undefined) return [];
    const [, , ...lines] = section.split("\n").filter((line) => line.startsWith("|"));
    return lines.map((line) => {
      const [clause = "", file = "", test = ""] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { law, clause, file: /^\[(.+)\]\(\.\.\/test\/laws\/\1\)$/.exec(file)?.[1] ?? file, test };
    });
  });
}

const files = readdirSync(FOLDER).filter((name) => /^law-\d\.test\.ts$/.test(name));

/** Titles of the tests of a file. All of them are string literals. */
function testsOf(file: string): string[] {
  const text = readFileSync(join(FOLDER, file), "utf8");
  const names = [...text.matchAll(/^\s*it(?:\.concurrent)?\(\s*"([^"\\]+)"/gm)].map(
    (match) => match[1] as string,
  );
  expect(names).toHaveLength([...text.matchAll(/^\s*it\b/gm)].length);
  return names;
}

describe("docs/laws.md", () => {
  it("names a file for each law, and no other", () => {
    expect(files).toEqual([1, 2, 3, 4, 5, 6, 7].map((law) => `law-${law}.test.ts`));
    for (const { law, file } of rows()) expect(file).toBe(`law-${law}.test.ts`);
  });

  it.each(files)("names every test of %s, and only tests that exist", (file) => {
    const named = rows().filter((row) => row.file === file);
    for (const { clause } of named) expect(clause).not.toBe("");
    expect([...new Set(named.map(({ test }) => test))].sort()).toEqual(testsOf(file).sort());
  });

  it("quotes the laws of docs/architecture.md literally", () => {
    const flat = (text: string) => text.replace(/[*`]/g, "").replace(/\s+/g, " ");
    const laws = flat(
      readFileSync(join(ROOT, "docs", "architecture.md"), "utf8").split(/^## /m)[1] as string,
    );
    for (const { clause } of rows()) {
      for (const part of clause.split(" … ")) expect(laws).toContain(flat(part));
    }
  });
});

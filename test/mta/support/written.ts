import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { DOCS } from "./pages.ts";

/**
 * Holds a part of the documentation against what was seen, or writes it if UPDATE_DOCS=1.
 * @param file of docs/mta; the part stands between two comments that bear its name
 */
export function expectWritten(file: string, name: string, lines: readonly string[]): void {
  const path = join(DOCS, file);
  const text = readFileSync(path, "utf8");
  const [open, close] = [`<!-- ${name}: written by its test with UPDATE_DOCS=1 -->`, `<!-- /${name} -->`];
  const start = text.indexOf(open);
  const end = text.indexOf(close);
  if (start < 0 || end < start) throw new Error(`docs/mta/${file} has no lines ${open} and ${close}`);
  const before = text.slice(start + open.length, end);
  const now = `\n${lines.join("\n")}\n`;
  if (process.env.UPDATE_DOCS === "1") {
    writeFileSync(path, text.slice(0, start + open.length) + now + text.slice(end));
  } else {
    expect(before, `${file}, ${name}: UPDATE_DOCS=1 writes what was seen`).toBe(now);
  }
}

/** A table in Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(head),
  `|${"---|".repeat(head.length)}`,
  ...rows.map(row),
];

const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

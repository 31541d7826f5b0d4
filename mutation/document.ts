/** Puts the scores of the last runs and the list of equivalent mutants into docs/consistency.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS, type Area, filesOf, ROOT } from "./areas.ts";
import { EQUIVALENTS } from "./equivalents.ts";
import { reportOf } from "./report.ts";
import type { Outcome } from "./run.ts";

export const PAGE = join(ROOT, "docs", "consistency.md");

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

/** Code in a cell of a table; two backticks, since code may hold one. */
const code = (text: string): string => `\`\` ${text.replaceAll("|", "\\|")} \`\``;

export const equivalentsTable = (): string =>
  [
    row("file", "the mutant", "why nothing changes by it"),
    row("---", "---", "---"),
    ...EQUIVALENTS.map(({ file, code: was, becomes, why }) =>
      row(`\`${file}\``, `${code(was)} → ${code(becomes)}`, why),
    ),
  ].join("\n");

/** @throws Error where a file was not tried yet */
function scoresTable(): string {
  const rowOf = (area: Area): string => {
    const outcomes = filesOf(area).flatMap((file): Outcome[] => {
      if (!existsSync(reportOf(file))) throw new Error(`run \`npm run mutate -- ${file}\` first`);
      return JSON.parse(readFileSync(reportOf(file), "utf8"));
    });
    const noticed = outcomes.filter(({ fate }) => fate === "noticed").length;
    const score = `${((100 * noticed) / outcomes.length).toFixed(1)} %`;
    return row(`\`${area.folder}\``, outcomes.length, noticed, outcomes.length - noticed, score);
  };
  return [
    row("folder", "mutants", "noticed", "equivalent", "score"),
    row("---", "---", "---", "---", "---"),
    ...AREAS.map(rowOf),
  ].join("\n");
}

/** @throws Error where the page has no such place */
function withBlock(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: made by mutation/document.ts -->`, `<!-- end of ${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place between "${begin}" and "${end}"`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

if (import.meta.main) {
  const page = withBlock(readFileSync(PAGE, "utf8"), "scores", scoresTable());
  writeFileSync(PAGE, withBlock(page, "equivalents", equivalentsTable()));
}

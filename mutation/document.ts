/** Puts the scores of the last runs and the list of equivalent mutants into docs/consistency.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS, type Area, filesOf, ROOT } from "./areas.ts";
import { EQUIVALENTS, isEquivalent } from "./equivalents.ts";
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

/** The files of whose last run there is a report, by folder. */
function scoresTable(): string {
  const rowOf = (area: Area): string[] => {
    const files = filesOf(area);
    const tried = files.filter((file) => existsSync(reportOf(file)));
    if (tried.length === 0) return [];
    const outcomes = tried.flatMap((file): Outcome[] => JSON.parse(readFileSync(reportOf(file), "utf8")));
    const survivors = outcomes.filter(({ fate }) => fate !== "noticed");
    const equivalent = survivors.filter(isEquivalent).length;
    const noticed = outcomes.length - survivors.length;
    const score = `${((100 * noticed) / outcomes.length).toFixed(1)} %`;
    const left = survivors.length - equivalent;
    return [
      row(
        `\`${area.folder}\``,
        `${tried.length} of ${files.length}`,
        outcomes.length,
        noticed,
        equivalent,
        left,
        score,
      ),
    ];
  };
  return [
    row("folder", "files tried", "mutants", "noticed", "change nothing", "not explained", "score"),
    row("---", "---", "---", "---", "---", "---", "---"),
    ...AREAS.flatMap(rowOf),
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

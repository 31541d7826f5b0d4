/** Puts the scores of the last runs and the list of equivalent mutants into docs/consistency.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS, type Area, filesOf, ROOT } from "./areas.ts";
import { EQUIVALENTS, isEquivalent } from "./equivalents.ts";
import { type FileOutcome, readOutcomes, type Survivor } from "./outcomes.ts";

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

/** The last run over each file, added up by folder. */
export function scoresTable(): string {
  const outcomes = readOutcomes();
  const rowOf = (area: Area): string[] => {
    const files = filesOf(area);
    const tried = outcomes.filter(({ file }) => files.includes(file));
    const sum = (of: (each: FileOutcome) => number): number =>
      tried.reduce((total, each) => total + of(each), 0);
    const mutants = sum((each) => each.mutants);
    if (mutants === 0) return [];
    const noticed = sum((each) => each.noticed);
    const left = sum(({ survivors }) => survivors.filter((each) => !isEquivalent(each)).length);
    const score = `${((100 * noticed) / mutants).toFixed(1)} %`;
    const equivalent = mutants - noticed - left;
    return [
      row(
        `\`${area.folder}\``,
        `${tried.length} of ${files.length}`,
        mutants,
        noticed,
        score,
        equivalent,
        left,
      ),
    ];
  };
  return [
    row("folder", "files", "mutants", "noticed", "score", "change nothing", "other survivors"),
    row("---", "---", "---", "---", "---", "---", "---"),
    ...AREAS.flatMap(rowOf),
  ].join("\n");
}

/** Survivors that the list of those that change nothing does not hold. */
export function othersTable(): string {
  const others = readOutcomes().flatMap(({ survivors }) => survivors.filter((each) => !isEquivalent(each)));
  if (others.length === 0) return "None.";
  const inSimulation = ({ simulation }: Survivor): string => {
    if (simulation === undefined) return "not tried";
    const { assertion, checks } = simulation;
    return assertion === null ? `not noticed in ${checks} checks` : `noticed after ${checks}: ${assertion}`;
  };
  return [
    row("file", "the mutant", "in the simulation"),
    row("---", "---", "---"),
    ...others.map((each) =>
      row(`\`${each.file}\``, `${code(each.code)} → ${code(each.becomes)}`, inSimulation(each)),
    ),
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
  let page = readFileSync(PAGE, "utf8");
  page = withBlock(page, "scores", scoresTable());
  page = withBlock(page, "other survivors", othersTable());
  writeFileSync(PAGE, withBlock(page, "equivalents", equivalentsTable()));
}

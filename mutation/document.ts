/** Puts the scores of the last runs and the list of equivalent mutants into docs/consistency.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { between, tableOf } from "../testing/markdown.ts";
import { AREAS, type Area, filesOf, ROOT } from "./areas.ts";
import { EQUIVALENTS, isEquivalent } from "./equivalents.ts";
import { type FileOutcome, readOutcomes, type Survivor } from "./outcomes.ts";

export const PAGE = join(ROOT, "docs", "consistency.md");

/** Code in a cell of a table; two backticks, since code may hold one. */
const code = (text: string): string => `\`\` ${text} \`\``;

export const equivalentsTable = (): string =>
  tableOf(EQUIVALENTS, [
    ["file", ({ file }) => `\`${file}\``],
    ["the mutant", ({ code: was, becomes }) => `${code(was)} → ${code(becomes)}`],
    ["why nothing changes by it", ({ why }) => why],
  ]);

/** The last run over each file of a folder; nothing if no file of it was tried. */
function scoreOf(area: Area) {
  const files = filesOf(area);
  const tried = readOutcomes().filter(({ file }) => files.includes(file));
  if (tried.length === 0) return [];
  const sum = (of: (each: FileOutcome) => number): number =>
    tried.reduce((total, each) => total + of(each), 0);
  const [mutants, noticed] = [sum((each) => each.mutants), sum((each) => each.noticed)];
  const left = sum(({ survivors }) => survivors.filter((each) => !isEquivalent(each)).length);
  return [{ ...area, files, tried, mutants, noticed, equivalent: mutants - noticed - left, left }];
}

/** The scores of the folders. */
export const scoresTable = (): string =>
  tableOf(AREAS.flatMap(scoreOf), [
    ["folder", ({ folder }) => `\`${folder}\``],
    ["files", ({ tried, files }) => `${tried.length} of ${files.length}`],
    ["mutants", ({ mutants }) => `${mutants}`],
    ["noticed", ({ noticed }) => `${noticed}`],
    ["score", ({ mutants, noticed }) => `${((100 * noticed) / mutants).toFixed(1)} %`],
    ["change nothing", ({ equivalent }) => `${equivalent}`],
    ["other survivors", ({ left }) => `${left}`],
  ]);

/** Survivors that the list of those that change nothing does not hold. */
export function othersTable(): string {
  const others = readOutcomes().flatMap(({ survivors }) => survivors.filter((each) => !isEquivalent(each)));
  if (others.length === 0) return "None.";
  return tableOf(others, [
    ["file", ({ file }) => `\`${file}\``],
    ["the mutant", ({ code: was, becomes }) => `${code(was)} → ${code(becomes)}`],
    ["in the simulation", inSimulation],
  ]);
}

function inSimulation({ simulation }: Survivor): string {
  if (simulation === undefined) return "not tried";
  const { assertion, checks } = simulation;
  return assertion === null ? `not noticed in ${checks} checks` : `noticed after ${checks}: ${assertion}`;
}

function put(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: made by mutation/document.ts -->`, `<!-- end of ${name} -->`];
  return between(page, begin, end, `\n${text}\n`);
}

if (import.meta.main) {
  let page = put(readFileSync(PAGE, "utf8"), "scores", scoresTable());
  page = put(page, "other survivors", othersTable());
  writeFileSync(PAGE, put(page, "equivalents", equivalentsTable()));
}

/** Puts the scores of the last runs and the list of equivalent mutants into docs/consistency.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { between, tableOf } from "../testing/markdown.ts";
import { AREAS, type Area, filesOf, ROOT } from "./areas.ts";
import { EQUIVALENTS, isEquivalent } from "./equivalents.ts";
import { reportOf } from "./report.ts";
import type { Outcome } from "./run.ts";

export const PAGE = join(ROOT, "docs", "consistency.md");

/** Code in a cell of a table; two backticks, since code may hold one. */
const code = (text: string): string => `\`\` ${text} \`\``;

export const equivalentsTable = (): string =>
  tableOf(EQUIVALENTS, [
    ["file", ({ file }) => `\`${file}\``],
    ["the mutant", ({ code: was, becomes }) => `${code(was)} → ${code(becomes)}`],
    ["why nothing changes by it", ({ why }) => why],
  ]);

/** What was tried of a folder; nothing if no file of it was. */
function scoreOf(area: Area) {
  const files = filesOf(area);
  const tried = files.filter((file) => existsSync(reportOf(file)));
  if (tried.length === 0) return [];
  const outcomes = tried.flatMap((file): Outcome[] => JSON.parse(readFileSync(reportOf(file), "utf8")));
  const survivors = outcomes.filter(({ fate }) => fate !== "noticed");
  const noticed = outcomes.length - survivors.length;
  const equivalent = survivors.filter(isEquivalent).length;
  return [{ ...area, files, tried, outcomes, noticed, equivalent, left: survivors.length - equivalent }];
}

/** The files of whose last run there is a report, by folder. */
const scoresTable = (): string =>
  tableOf(AREAS.flatMap(scoreOf), [
    ["folder", ({ folder }) => `\`${folder}\``],
    ["files tried", ({ tried, files }) => `${tried.length} of ${files.length}`],
    ["mutants", ({ outcomes }) => `${outcomes.length}`],
    ["noticed", ({ noticed }) => `${noticed}`],
    ["change nothing", ({ equivalent }) => `${equivalent}`],
    ["not explained", ({ left }) => `${left}`],
    ["score", ({ outcomes, noticed }) => `${((100 * noticed) / outcomes.length).toFixed(1)} %`],
  ]);

function put(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: made by mutation/document.ts -->`, `<!-- end of ${name} -->`];
  return between(page, begin, end, `\n${text}\n`);
}

if (import.meta.main) {
  const page = put(readFileSync(PAGE, "utf8"), "scores", scoresTable());
  writeFileSync(PAGE, put(page, "equivalents", equivalentsTable()));
}

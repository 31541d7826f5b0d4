/** The tables of docs/mta that the corpus writes. */
import type { Difference } from "../../integrations/rig.ts";
import { table } from "../mta/support/written.ts";
import { CORPUS, type Row } from "./corpus.ts";

const WIDEST = 60;

/** A recipient as code, shortened in its middle. */
function shown({ rcpt, from }: Row): string {
  const path = `<${rcpt}>`;
  const text = path.length > WIDEST ? `${path.slice(0, 25)}…${path.slice(-25)}` : path;
  const quoted = text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
  return from === "" ? `${quoted} from \`<>\`` : quoted;
}

/** All rows, with the reason of each. */
export const corpusTable = (): string[] =>
  table(
    ["recipient", "as sent", "verdict", "codes", "why"],
    CORPUS.map((row) => [row.what, shown(row), row.verdict, row.codes, row.because]),
  );

/** What one way of a front end has shown: its title, and codes by the names of rows. */
export interface Seen {
  readonly title: string;
  readonly codes: Readonly<Record<string, string>>;
}

/** The section of one front end: the rows for which a client sees other codes than the edge's, and why. */
export function differencesTable(seen: readonly Seen[], differences: readonly Difference[]): string[] {
  const unsent = CORPUS.filter(({ name }) => seen.every(({ codes }) => codes[name] === undefined));
  const differing = CORPUS.filter((row) =>
    seen.some(({ codes }) => codes[row.name] !== undefined && codes[row.name] !== row.codes),
  );
  const reasons = new Map<Difference, number>();
  const noteOf = (name: string): string => {
    const notes = differences.filter(({ rows }) => rows.includes(name));
    return notes
      .map((each) => {
        if (!reasons.has(each)) reasons.set(each, reasons.size + 1);
        return ` (${reasons.get(each)})`;
      })
      .join("");
  };
  const rows = differing.map((row) => [
    `${row.what}${noteOf(row.name)}`,
    shown(row),
    row.codes,
    ...seen.map(({ codes }) => {
      const own = codes[row.name] ?? "not sent";
      return own === row.codes ? "=" : own;
    }),
  ]);
  const same = CORPUS.length - differing.length - unsent.length;
  return [
    `Of the ${CORPUS.length} recipients of the [corpus](conformance.md), a client sees the edge's own codes for ${same}.`,
    `${unsent.length > 0 ? `${unsent.length} need SMTPUTF8, which this server does not offer. ` : ""}The others, with \`=\` for the same codes:`,
    "",
    ...table(["RCPT TO", "as sent", "edge", ...seen.map(({ title }) => title)], rows),
    "",
    ...[...reasons].map(
      ([{ because }, number]) => `${number}. ${because[0]?.toUpperCase()}${because.slice(1)}.`,
    ),
  ];
}

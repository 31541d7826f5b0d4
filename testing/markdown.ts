/** Tables in Markdown, and the places of a page that a program fills in. */

export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

/** One column of a table: its head, and its cell in each row. */
export type Column<Row> = readonly [head: string, cell: (row: Row) => string];

/** A table in which each row is made of the columns' cells. */
export function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const heads = columns.map(([head]) => head);
  return markdownTable(
    heads,
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  );
}

/** Puts a text between two marks of a page. @throws Error if the page lacks them */
export function between(page: string, begin: string, end: string, text: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page lacks the marks "${begin}" and "${end}"`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}

import { statSync } from "node:fs";
import { PublishError } from "../errors.ts";
import { kind, type SourceHost } from "./kind.ts";
import { eachLine } from "./lines.ts";
import { outputOf } from "./program.ts";
import { textSetting } from "./settings.ts";
import type { SourceSink } from "./source.ts";
import { RowReader, SQL_SETTINGS } from "./sql.ts";

/**
 * `kind = "sqlite"`: a query, run by the sqlite3 command (sqlite3(1)), which reads a database of any size in little memory
 * and needs no package for Node.
 */
export const sqlite = kind({
  settings: {
    path: textSetting("must be the path of a database"),
    ...SQL_SETTINGS,
  },
  open: ({ path, query, timeout, ...settings }, host) => ({
    describe: () => `${host.shown} (${path})`,
    async read(sink, signal) {
      const file = host.path(path);
      // sqlite3 would create a database that is not there.
      if (statSync(file, { throwIfNoEntry: false }) === undefined) {
        throw new PublishError("input", `${host.shown}: there is no ${path}`, "check the path");
      }
      // Not -json, with which sqlite3 turns octets that are not UTF-8 into other text, nor -csv, which is written row by row.
      const options = ["-readonly", "-bail", "-batch", "-init", "/dev/null", "-ascii", "-header"];
      const rows = new Rows(settings, host, sink);
      await eachLine(
        outputOf({ argv: ["sqlite3", ...options, file, query], timeout }, host, signal),
        { line: (_, text) => rows.line(text), fault: (_, reason) => rows.fault(reason) },
        undefined,
        ROW_END,
      );
    },
  }),
});

/** What `sqlite3 -ascii` writes after each row, and between two values. Neither can be part of an address. */
const ROW_END = "\x1e";
const VALUE_END = "\x1f";

/** The output of `sqlite3 -ascii -header`. Without rows, there is none at all. */
class Rows {
  readonly #open: (names: readonly string[]) => RowReader;
  readonly #sink: SourceSink;
  readonly #shown: string;
  #header = "";
  #columns = 0;
  #reader: RowReader | null = null;

  constructor(
    settings: ConstructorParameters<typeof RowReader>[1],
    host: Pick<SourceHost, "shown">,
    sink: SourceSink,
  ) {
    this.#open = (names) => new RowReader(names, settings, host, sink);
    this.#sink = sink;
    this.#shown = host.shown;
  }

  /** @throws PublishError `input` for other columns than there should be, or a second header */
  line(text: string): void {
    const values = text.includes(VALUE_END) ? text.split(VALUE_END) : [text];
    if (this.#reader === null) {
      this.#header = text;
      this.#columns = values.length;
      this.#reader = this.#open(values);
    } else if (text === this.#header) {
      throw new PublishError(
        "input",
        `${this.#shown}: the query has more than one statement`,
        "join them with UNION ALL, or use two sources",
      );
    } else if (values.length === this.#columns) this.#reader.row(values);
    else {
      const columns = this.#columns === 1 ? "1 column" : `${this.#columns} columns`;
      this.#reader.fault(`${values.length} values, but the query has ${columns}`);
    }
  }

  fault(reason: string): void {
    // Before the header, rows have no numbers.
    if (this.#reader === null) this.#sink.fault(1, reason);
    else this.#reader.fault(reason);
  }
}

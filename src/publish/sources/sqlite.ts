import { statSync } from "node:fs";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { readFields } from "./csv.ts";
import { kind, type SourceHost } from "./kind.ts";
import { eachLine } from "./lines.ts";
import { outputOf } from "./program.ts";
import type { SourceSink } from "./source.ts";
import { RowReader, SQL_SETTINGS } from "./sql.ts";

/**
 * `kind = "sqlite"`: a query, run by the sqlite3 command (sqlite3(1)), which reads a database of any size in little memory
 * and needs no package for Node.
 */
export const sqlite = kind({
  settings: {
    path: v.pipe(v.string("must be the path of a database"), v.nonEmpty("must be the path of a database")),
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
      // Not -json, with which sqlite3 turns octets that are not UTF-8 into other text.
      const options = ["-readonly", "-bail", "-batch", "-init", "/dev/null", "-csv", "-header"];
      const rows = new CsvRows(settings, host, sink);
      await eachLine(outputOf({ argv: ["sqlite3", ...options, file, query], timeout }, host, signal), {
        line: (_, text) => rows.line(text),
        fault: (_, reason) => rows.fault(reason),
      });
    },
  }),
});

/** The output of `sqlite3 -csv -header`. Without rows, there is none at all. */
class CsvRows {
  readonly #host: Pick<SourceHost, "shown">;
  readonly #sink: SourceSink;
  readonly #open: (names: readonly string[]) => RowReader;
  #header = "";
  #columns = 0;
  #reader: RowReader | null = null;

  constructor(
    settings: ConstructorParameters<typeof RowReader>[1],
    host: Pick<SourceHost, "shown">,
    sink: SourceSink,
  ) {
    this.#host = host;
    this.#sink = sink;
    this.#open = (names) => new RowReader(names, settings, host, sink);
  }

  /** @throws PublishError `input` for other columns than there should be, or a second header */
  line(text: string): void {
    const fields = readFields(text);
    if (this.#reader === null) {
      // A name that spans lines is no name of ours.
      const names = typeof fields === "string" ? [text] : fields;
      this.#header = text;
      this.#columns = names.length;
      this.#reader = this.#open(names);
    } else if (text === this.#header) {
      throw new PublishError(
        "input",
        `${this.#host.shown}: the query has more than one statement`,
        "join them with UNION ALL, or use two sources",
      );
    } else if (typeof fields === "string") this.#reader.fault(fields);
    else if (fields.length === this.#columns) this.#reader.row(fields);
    else {
      const columns = this.#columns === 1 ? "1 column" : `${this.#columns} columns`;
      this.#reader.fault(`${fields.length} fields, but the query has ${columns}`);
    }
  }

  fault(reason: string): void {
    // Before the header, the row has no number.
    if (this.#reader === null) this.#sink.fault(1, reason);
    else this.#reader.fault(reason);
  }
}

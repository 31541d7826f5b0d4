import { statSync } from "node:fs";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
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
      const argv = ["sqlite3", "-readonly", "-bail", "-batch", "-init", "/dev/null", "-json", file, query];
      const rows = new JsonRows(settings, host, sink);
      await eachLine(outputOf({ argv, timeout }, host, signal), {
        line: (_, text) => rows.line(text),
        fault: (line, reason) => sink.fault(line, reason),
      });
    },
  }),
});

/** The output of `sqlite3 -json`: an array with one object on each line. Without rows, there is no output at all. */
class JsonRows {
  readonly #open: (names: readonly string[]) => RowReader;
  #reader: RowReader | null = null;

  constructor(
    settings: ConstructorParameters<typeof RowReader>[1],
    host: Pick<SourceHost, "shown">,
    sink: SourceSink,
  ) {
    this.#open = (names) => new RowReader(names, settings, host, sink);
  }

  line(text: string): void {
    const trimmed = text.replace(/^\[/, "").replace(/[,\]]\s*$/, "");
    if (trimmed === "") return;
    const row = JSON.parse(trimmed) as Readonly<Record<string, unknown>>;
    this.#reader ??= this.#open(Object.keys(row));
    this.#reader.row(Object.values(row));
  }
}

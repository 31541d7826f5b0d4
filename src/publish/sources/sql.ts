import type * as v from "valibot";
import { messageOf } from "../../runtime/message-of.ts";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import { COLUMNS_SETTING, TIMEOUT_SETTING, textSetting } from "./settings.ts";
import type { SourceSink } from "./source.ts";
import { STATES_SETTING, type StateWords, stateWords } from "./states.ts";

const QUERY = "must be a query that yields a column address, and state if you like";

/** Settings of every database. */
export const SQL_SETTINGS = {
  query: textSetting(QUERY),
  columns: COLUMNS_SETTING,
  states: STATES_SETTING,
  timeout: TIMEOUT_SETTING,
};

/** What a row reader uses of the settings. */
type RowSettings = Partial<
  v.InferOutput<v.StrictObjectSchema<Pick<typeof SQL_SETTINGS, "columns" | "states">, undefined>>
>;

/** Rows of a query, with the positions of the two columns in them. */
export class RowReader {
  readonly #sink: SourceSink;
  readonly #words: StateWords;
  readonly #address: number;
  readonly #state: number;
  #rows = 0;

  /**
   * @param names of the query's columns, in order
   * @throws PublishError `input` if the query has not the columns that it should have
   */
  constructor(
    names: readonly string[],
    settings: RowSettings,
    { shown }: Pick<SourceHost, "shown">,
    sink: SourceSink,
  ) {
    const { columns, states } = settings;
    const lower = names.map((name) => name.toLowerCase());
    const at = (name: string): number => lower.indexOf(name.toLowerCase());
    const fault = (message: string, hint: string): PublishError =>
      new PublishError("input", `${shown}: the query ${message}`, hint, [`its columns: ${names.join(", ")}`]);
    const wanted = columns ?? { address: "address", state: at("state") < 0 ? undefined : "state" };
    for (const name of [wanted.address, wanted.state]) {
      if (name !== undefined && at(name) < 0) {
        throw fault(`yields no column ${name}`, `name it so: SELECT … AS ${name}, or set columns`);
      }
      if (name !== undefined && lower.indexOf(name.toLowerCase(), at(name) + 1) >= 0) {
        throw fault(`yields two columns ${name}`, "select one of them, or name them differently");
      }
    }
    // An unknown column might be the one that disables mailboxes.
    const unknown = names.find(
      (_, i) => ![wanted.address, wanted.state].some((name) => name !== undefined && at(name) === i),
    );
    if (columns === undefined && unknown !== undefined) {
      throw fault(
        `yields a column ${unknown}, whose meaning is unknown`,
        "select address and state only, or set columns",
      );
    }
    this.#address = at(wanted.address);
    this.#state = wanted.state === undefined ? -1 : at(wanted.state);
    this.#words = stateWords(states);
    this.#sink = sink;
  }

  /** Counts a row that cannot be taken apart. */
  fault(reason: string): void {
    this.#sink.fault(++this.#rows, reason);
  }

  /** Takes one row: its values in the order of the columns. NULL as a state means active. */
  row(values: readonly unknown[]): void {
    const line = ++this.#rows;
    const address = values[this.#address];
    const state = this.#words.read(values[this.#state]);
    if (typeof address !== "string" || address === "") {
      this.#sink.fault(
        line,
        address === null || address === "" ? "the address is empty" : "the address is not text",
      );
      return;
    }
    if (typeof state === "string") this.#sink.entry(line, address, state);
    else this.#sink.fault(line, state.fault);
  }
}

/** The error for what a database or the connection to it reports. Its message is shown; it contains no password. */
export function databaseFault({ shown }: Pick<SourceHost, "shown">, error: unknown): PublishError {
  // A connection that is refused at several addresses has its errors inside.
  const errors = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error];
  return new PublishError(
    "input",
    `${shown} was not read to its end: ${errors.map(messageOf).join("; ")}; nothing of it was used`,
    "check the server, the user and its rights, and the query",
  );
}

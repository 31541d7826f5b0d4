import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type CsvError, parse } from "csv-parse";
import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";
import { MAX_LINE, type SourceSink } from "./source.ts";

const COLUMNS = ["address", "state"];

/**
 * Reads a list in CSV (RFC 4180): a header `address` or `address,state`, then a record a mailbox. An empty state
 * means active.
 *
 * @param chunks the file's bytes, UTF-8 with or without a byte order mark
 */
export async function readCsvSource(chunks: AsyncIterable<Uint8Array>, sink: SourceSink): Promise<void> {
  const records = new Records(sink);
  const parser = parse({
    bom: true,
    record_delimiter: ["\r\n", "\n"],
    // Judged here, where the line's number is known.
    relax_column_count: true,
    skip_empty_lines: true,
    // A record that cannot be read is reported, and the next one read.
    skip_records_with_error: true,
    max_record_size: MAX_LINE,
    on_skip: (error) => {
      records.skipped(error);
      return undefined;
    },
    // Nothing is handed on: records are consumed where they are made.
    on_record: (record: string[], context) => {
      records.take(record, context.lines);
      return null;
    },
  });
  parser.resume();
  await pipeline(Readable.from(withProgress(chunks, sink), { objectMode: false }), parser);
  records.end();
}

async function* withProgress(
  chunks: AsyncIterable<Uint8Array>,
  sink: SourceSink,
): AsyncGenerator<Uint8Array> {
  let octets = 0;
  for await (const chunk of chunks) {
    octets += chunk.length;
    yield chunk;
    sink.progress?.(octets);
  }
}

class Records {
  readonly #sink: SourceSink;
  /** Column of each field, null before the header was read. */
  #header: string[] | null = null;
  #headerFailed = false;

  constructor(sink: SourceSink) {
    this.#sink = sink;
  }

  take(record: readonly string[], line: number): void {
    if (this.#headerFailed) return;
    if (this.#header === null) {
      this.#readHeader(record, line);
      return;
    }
    if (record.length !== this.#header.length) {
      this.#sink.fault(line, `${record.length} fields instead of ${this.#header.length}`);
      return;
    }
    const address = (record[this.#header.indexOf("address")] as string).trim();
    const state = stateOf(record[this.#header.indexOf("state")] ?? "");
    if (state === null) {
      const word = record[this.#header.indexOf("state")] as string;
      this.#sink.fault(line, `"${shown(word)}" is no state; known are ${ENTRY_STATES.join(", ")}`);
    } else if (address === "") {
      this.#sink.fault(line, "no address");
    } else {
      this.#sink.entry(line, address, state);
    }
  }

  skipped(error: CsvError | undefined): void {
    if (this.#headerFailed) return;
    const line = Number(error?.lines ?? 0);
    this.#sink.fault(line, reasonOf(error));
    if (this.#header === null) this.#headerFailed = true;
  }

  end(): void {
    if (this.#header === null && !this.#headerFailed) this.#sink.fault(1, NO_HEADER);
  }

  #readHeader(record: readonly string[], line: number): void {
    const header = record.map((name) => name.trim().toLowerCase());
    const strange = header.find((name) => !COLUMNS.includes(name));
    if (!header.includes("address")) this.#refuseHeader(line, NO_HEADER);
    // A column that is not understood might well be the one that says who is disabled.
    else if (strange !== undefined)
      this.#refuseHeader(line, `"${shown(strange)}" is no column; ${NO_HEADER}`);
    else if (new Set(header).size < header.length)
      this.#refuseHeader(line, "a column stands twice in the header");
    else this.#header = header;
  }

  #refuseHeader(line: number, reason: string): void {
    this.#headerFailed = true;
    this.#sink.fault(line, reason);
  }
}

const NO_HEADER = "the first line must be the header address or address,state";

const WORDS: ReadonlyMap<string, EntryState> = new Map(ENTRY_STATES.map((state) => [state, state]));

function stateOf(text: string): EntryState | null {
  const word = text.trim().toLowerCase();
  return word === "" ? "active" : (WORDS.get(word) ?? null);
}

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

function reasonOf(error: CsvError | undefined): string {
  switch (error?.code) {
    case "CSV_MAX_RECORD_SIZE":
      return `a record longer than ${MAX_LINE} octets; is a quote left open?`;
    case "CSV_QUOTE_NOT_CLOSED":
      return "a quote is left open";
    case "INVALID_OPENING_QUOTE":
    case "CSV_INVALID_CLOSING_QUOTE":
      return "a quote in the middle of a field; quote the whole field and double the quotes inside";
    default:
      return "cannot be read as CSV";
  }
}

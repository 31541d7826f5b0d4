import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";
import type { ParseList } from "./file.ts";
import { eachLine, OVERLONG } from "./lines.ts";
import type { SourceSink } from "./source.ts";

const COLUMNS = ["address", "state"];
const NO_HEADER = "the first line must be the header address or address,state";

/** Where rows go. */
type Rows = Pick<SourceSink, "entry" | "fault">;

/**
 * Parses CSV (RFC 4180): a header `address` or `address,state`, then one mailbox per record. An empty state means
 * active.
 *
 * RFC 4180 lets a quoted field span lines, but no address or state may. So each line is a record here: an unclosed
 * quote costs that line only, not everything up to the next quote.
 */
export const readCsv: ParseList = async (chunks, sink, progress) => {
  let columns: Columns | null = null;
  let isRefused = false;
  const header = (line: number, text: string | null): void => {
    const read = text === null ? OVERLONG : readHeader(text);
    if (typeof read === "string") {
      isRefused = true;
      sink.fault(line, read);
    } else {
      columns = read;
    }
  };
  await eachLine(
    chunks,
    (line, text) => {
      // Without a header, the meaning of the other lines is unknown.
      if (isRefused || text?.trim() === "") return;
      if (columns === null) header(line, text);
      else if (text === null) sink.fault(line, OVERLONG);
      else readRecord(line, text, columns, sink);
    },
    progress,
  );
  if (columns === null && !isRefused) sink.fault(1, NO_HEADER);
};

/** Position of each column; -1 if it is missing. */
interface Columns {
  readonly count: number;
  readonly address: number;
  readonly state: number;
}

function readHeader(text: string): Columns | string {
  const fields = readFields(text);
  if (typeof fields === "string") return fields;
  const names = fields.map((name) => name.trim().toLowerCase());
  if (!names.includes("address")) return NO_HEADER;
  // An unknown column might be the one that disables mailboxes.
  const unknown = names.find((name) => !COLUMNS.includes(name));
  if (unknown !== undefined) return `unknown column "${shown(unknown)}": ${NO_HEADER}`;
  if (new Set(names).size < names.length) return "the header names a column twice";
  return { count: names.length, address: names.indexOf("address"), state: names.indexOf("state") };
}

function readRecord(line: number, text: string, columns: Columns, sink: Rows): void {
  const fields = readFields(text);
  if (typeof fields === "string") {
    sink.fault(line, fields);
    return;
  }
  if (fields.length !== columns.count) {
    sink.fault(line, `${fields.length} fields, but the header has ${columns.count}`);
    return;
  }
  const address = (fields[columns.address] as string).trim();
  const word = fields[columns.state] ?? "";
  const state = stateOf(word);
  if (address === "") sink.fault(line, "the address is empty");
  else if (state !== null) sink.entry(line, address, state);
  else sink.fault(line, `unknown state "${shown(word)}": use one of ${ENTRY_STATES.join(", ")}`);
}

/** A field, quoted or not, and the comma or the end after it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** The fields of a record, or what is wrong with it. */
function readFields(text: string): string[] | string {
  if (!text.includes('"')) return text.split(",");
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (;;) {
    const match = FIELD.exec(text);
    if (match === null) return faultOf(text);
    fields.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string));
    if (match[3] === "") return fields;
  }
}

const faultOf = (text: string): string =>
  (text.split('"').length - 1) % 2 === 1
    ? "unclosed quote"
    : "quote inside an unquoted field: quote the whole field and double the quotes inside it";

const STATES: ReadonlyMap<string, EntryState> = new Map(ENTRY_STATES.map((state) => [state, state]));

function stateOf(text: string): EntryState | null {
  const word = text.trim().toLowerCase();
  return word === "" ? "active" : (STATES.get(word) ?? null);
}

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

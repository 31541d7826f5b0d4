import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";
import { eachLine } from "./lines.ts";
import { OVERLONG, type SourceSink } from "./source.ts";

const COLUMNS = ["address", "state"];
const NO_HEADER = "the first line must be the header address or address,state";

/**
 * Reads a list in CSV (RFC 4180): a header `address` or `address,state`, then a record a mailbox. An empty state
 * means active.
 *
 * RFC 4180 lets a quoted field run over several lines, and no address or state may. So a record is a line here:
 * a quote left open costs that line alone, and not all that follows up to the next quote.
 */
export async function readCsvSource(chunks: AsyncIterable<Uint8Array>, sink: SourceSink): Promise<void> {
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
      // Without a header nobody knows what the other lines say.
      if (isRefused || text?.trim() === "") return;
      if (columns === null) header(line, text);
      else if (text === null) sink.fault(line, OVERLONG);
      else readRecord(line, text, columns, sink);
    },
    sink.progress,
  );
  if (columns === null && !isRefused) sink.fault(1, NO_HEADER);
}

/** Where each column stands; -1 where it does not. */
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
  // A column that is not understood might well be the one that says who is disabled.
  const strange = names.find((name) => !COLUMNS.includes(name));
  if (strange !== undefined) return `"${shown(strange)}" is no column; ${NO_HEADER}`;
  if (new Set(names).size < names.length) return "a column stands twice in the header";
  return { count: names.length, address: names.indexOf("address"), state: names.indexOf("state") };
}

function readRecord(line: number, text: string, columns: Columns, sink: SourceSink): void {
  const fields = readFields(text);
  if (typeof fields === "string") {
    sink.fault(line, fields);
    return;
  }
  if (fields.length !== columns.count) {
    sink.fault(line, `${fields.length} fields instead of ${columns.count}`);
    return;
  }
  const address = (fields[columns.address] as string).trim();
  const word = fields[columns.state] ?? "";
  const state = stateOf(word);
  if (address === "") sink.fault(line, "no address");
  else if (state !== null) sink.entry(line, address, state);
  else sink.fault(line, `"${shown(word)}" is no state; known are ${ENTRY_STATES.join(", ")}`);
}

/** A field, quoted or not, and the comma or the end behind it. */
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
    ? "a quote is left open"
    : "a quote in the middle of a field: quote the whole field and double the quotes inside";

const STATES: ReadonlyMap<string, EntryState> = new Map(ENTRY_STATES.map((state) => [state, state]));

function stateOf(text: string): EntryState | null {
  const word = text.trim().toLowerCase();
  return word === "" ? "active" : (STATES.get(word) ?? null);
}

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

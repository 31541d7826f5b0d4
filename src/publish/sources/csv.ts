import { eachLine } from "./lines.ts";
import { smtpAddress } from "./proxy-address.ts";
import { NO_ADDRESS, type ParseList, type SourceSink } from "./source.ts";
import { PLAIN_STATES, type StateWords, shown } from "./states.ts";

/** Which columns have the addresses and their states. */
export interface CsvColumns {
  readonly address: string;
  /** Null if there is no such column: all are active. */
  readonly state: string | null;
  /** What stands between several addresses of one field; null if a field has one. */
  readonly separator?: string | null;
}

/** The columns of a file for which nothing else is set. Other columns are refused. */
const PLAIN_COLUMNS: CsvColumns = { address: "address", state: "state" };

/** Where rows go. */
type Rows = Pick<SourceSink, "entry" | "fault" | "leftOut">;

/**
 * Parses CSV (RFC 4180): a header `address` or `address,state`, then one mailbox per record. An empty state means
 * active. With `named`, the header may have any columns, in which the two of that name are searched for.
 *
 * RFC 4180 lets a quoted field span lines, but no address or state may. So each line is a record here: an unclosed
 * quote costs that line only, not everything up to the next quote.
 */
export const csvReader =
  (named: CsvColumns | null = null, words: StateWords = PLAIN_STATES): ParseList =>
  async (chunks, sink, progress) => {
    let columns: Columns | null = null;
    let isRefused = false;
    const refuse = (line: number, why: string): void => {
      // Without a header, the meaning of the other lines is unknown.
      isRefused = columns === null;
      sink.fault(line, why);
    };
    await eachLine(
      chunks,
      {
        line(line, text) {
          if (isRefused || text.trim() === "") return;
          if (columns !== null) {
            readRecord(line, text, columns, words, named?.separator ?? null, sink);
            return;
          }
          const read = readHeader(text, named);
          if (typeof read === "string") refuse(line, read);
          else columns = read;
        },
        fault(line, why) {
          if (!isRefused) refuse(line, why);
        },
      },
      progress,
    );
    if (columns === null && !isRefused) sink.fault(1, noHeader(named));
  };

/** A parser of files with the header `address` or `address,state`. */
export const readCsv = csvReader();

/** Position of each column; -1 if it is missing. */
interface Columns {
  readonly count: number;
  readonly address: number;
  readonly state: number;
}

const noHeader = (named: CsvColumns | null): string => {
  if (named === null) return "the first line must be the header address or address,state";
  const both = named.state === null ? named.address : `${named.address} and ${named.state}`;
  return `the first line must be a header with ${both}, as \`columns\` says`;
};

function readHeader(text: string, named: CsvColumns | null): Columns | string {
  const fields = readFields(text);
  if (typeof fields === "string") return fields;
  const names = fields.map((name) => name.trim().toLowerCase());
  const { address, state } = named ?? PLAIN_COLUMNS;
  const at = (name: string): number => names.indexOf(name.toLowerCase());
  if (at(address) < 0 || (named !== null && state !== null && at(state) < 0)) return noHeader(named);
  if (named === null) {
    // An unknown column might be the one that disables mailboxes.
    const unknown = names.find((name) => name !== address && name !== state);
    if (unknown !== undefined) return `unknown column "${shown(unknown)}": ${noHeader(named)}`;
  }
  const used = names.filter((name) => [address, state].some((each) => each?.toLowerCase() === name));
  if (new Set(used).size < used.length) return "the header names a column twice";
  return { count: names.length, address: at(address), state: state === null ? -1 : at(state) };
}

function readRecord(
  line: number,
  text: string,
  columns: Columns,
  words: StateWords,
  separator: string | null,
  sink: Rows,
): void {
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
  const state = words.read(fields[columns.state]);
  if (typeof state !== "string") sink.fault(line, state.fault);
  else if (separator !== null) {
    const found = address.split(separator).map((part) => smtpAddress(part.trim()));
    const own = found.filter((one) => one !== null && one !== "");
    for (const one of own) sink.entry(line, one as string, state);
    if (own.length === 0) sink.leftOut?.(line, NO_ADDRESS);
  } else if (address === "") sink.fault(line, "the address is empty");
  else sink.entry(line, address, state);
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

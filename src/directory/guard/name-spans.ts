import { damaged } from "../errors.ts";

/*
 * Spans of generations in which names were accepted, as the guard stores them. A name has one entry for each of its
 * spans, in order. Entries are sorted by tail.
 *
 *   0   "RCGS"
 *   4   u8 format, three zeros
 *   8   u32 entries n
 *   12  u32 high[n]    top 32 bits of the tail
 *       u32 from[n]    first generation of the span
 *       u32 to[n]      first generation after it; OPEN if it has not ended
 *       u16 low[n]     the other 16 bits of the tail
 */
const MAGIC = 0x53474352;
const FORMAT = 1;
const COLUMNS_AT = 12;
const ENTRY_BYTES = 14;

/** The end of a span that has not ended. */
export const OPEN = 0xffffffff;

/** Generations from `from` up to, but not including, `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** One name, by its tail, and the spans of generations in which it was accepted. */
export interface NameSpans {
  readonly tail: number;
  /** In order, at least one. Only the last may be open: then the name is accepted now. */
  readonly spans: readonly Span[];
}

/** @param names sorted by tail */
export function encodeSpans(names: readonly NameSpans[]): Uint8Array {
  const count = names.reduce((sum, { spans }) => sum + spans.length, 0);
  const bytes = new Uint8Array(COLUMNS_AT + ENTRY_BYTES * count);
  const header = new DataView(bytes.buffer);
  header.setUint32(0, MAGIC, true);
  header.setUint8(4, FORMAT);
  header.setUint32(8, count, true);
  const columns = columnsOf(bytes, count);
  let i = 0;
  for (const { tail, spans } of names) {
    for (const { from, to } of spans) {
      columns.high[i] = Math.floor(tail / 2 ** 16);
      columns.low[i] = tail % 2 ** 16;
      columns.from[i] = from;
      columns.to[i++] = to;
    }
  }
  return bytes;
}

/** @throws DirectoryError `damaged` */
export function decodeSpans(bytes: Uint8Array): NameSpans[] {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  if (aligned.length < COLUMNS_AT) throw damaged("the guard's spans are truncated");
  const header = new DataView(aligned.buffer, aligned.byteOffset, COLUMNS_AT);
  const count = header.getUint32(8, true);
  if (header.getUint32(0, true) !== MAGIC || header.getUint8(4) !== FORMAT) {
    throw damaged("not the guard's spans, or of an unknown format");
  }
  if (aligned.length !== COLUMNS_AT + ENTRY_BYTES * count) {
    throw damaged(`the guard's spans have ${aligned.length} bytes for ${count} entries`);
  }
  const { high, low, from, to } = columnsOf(aligned, count);
  const names: { tail: number; spans: Span[] }[] = [];
  for (let i = 0; i < count; i++) {
    const tail = (high[i] as number) * 2 ** 16 + (low[i] as number);
    const span = { from: from[i] as number, to: to[i] as number };
    const last = names.at(-1);
    if (span.from >= span.to || (last !== undefined && tail < last.tail)) {
      throw damaged("the guard's spans are not in order");
    }
    if (last?.tail !== tail) names.push({ tail, spans: [span] });
    else {
      // An open span ends at OPEN, so nothing can follow it.
      if (span.from < (last.spans.at(-1) as Span).to) throw damaged("the guard's spans overlap");
      last.spans.push(span);
    }
  }
  return names;
}

function columnsOf(bytes: Uint8Array, count: number) {
  const { buffer, byteOffset } = bytes;
  const at = byteOffset + COLUMNS_AT;
  return {
    high: new Uint32Array(buffer, at, count),
    from: new Uint32Array(buffer, at + 4 * count, count),
    to: new Uint32Array(buffer, at + 8 * count, count),
    low: new Uint16Array(buffer, at + 12 * count, count),
  };
}

import type { SourceSink } from "./source.ts";

/** Longest line, in octets. Longer ones are not addresses. */
export const MAX_LINE = 16 * 1024;

const OVERLONG = `longer than ${MAX_LINE} octets`;
const NOT_UTF8 = "not UTF-8: convert the file, such as with `iconv -f ISO-8859-1 -t UTF-8`";
const HAS_NUL = "has NUL octets: save the file as UTF-8, or as UTF-16 with a byte order mark";

/** Takes the lines that can be read. */
export interface LineSink extends Pick<SourceSink, "fault"> {
  /** @param line its number, from 1 */
  line(line: number, text: string): void;
}

/** Its byte order mark says that a file is UTF-16. */
function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}

/**
 * Splits a file into lines, ended by LF or CR LF. Memory stays bounded by one chunk and one line, whatever the bytes
 * are. Text is UTF-8, or UTF-16 with a byte order mark. Other lines are faults.
 *
 * @param chunks the file's bytes, with or without a byte order mark
 * @param progress called from time to time with the octets read so far
 * @param ending one character
 */
export async function eachLine(
  chunks: AsyncIterable<Uint8Array>,
  sink: LineSink,
  progress?: (octets: number) => void,
  ending = "\n",
): Promise<void> {
  let line = 0;
  let rest = "";
  let isOverlong = false;
  let octets = 0;
  /** Whether the line may have characters that make it a fault. */
  let isSuspicious = false;
  const end = (text: string): void => {
    line++;
    const fault = isOverlong || text.length > MAX_LINE ? OVERLONG : isSuspicious ? faultOf(text) : null;
    if (fault === null) sink.line(line, text.endsWith("\r") ? text.slice(0, -1) : text);
    else sink.fault(line, fault);
    isOverlong = false;
    rest = "";
  };
  const feed = (text: string): void => {
    isSuspicious = isSuspicious || SUSPICIOUS.test(text);
    let from = 0;
    for (let at = text.indexOf(ending); at >= 0; at = text.indexOf(ending, from)) {
      end(rest + text.slice(from, at));
      from = at + 1;
    }
    rest += text.slice(from);
    if (rest.length > MAX_LINE) {
      isOverlong = true;
      rest = "";
    }
    isSuspicious = SUSPICIOUS.test(rest);
  };
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  for await (const chunk of withWholeMark(chunks)) {
    octets += chunk.length;
    decoder ??= new TextDecoder(encodingOf(chunk));
    feed(decoder.decode(chunk, { stream: true }));
    progress?.(octets);
  }
  if (decoder !== null) feed(decoder.decode());
  if (rest !== "" || isOverlong) end(rest);
}

/** Joins a first chunk of one octet with the next one, so that a byte order mark is seen whole. */
async function* withWholeMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (first === null) {
      yield chunk;
      continue;
    }
    const joined: Uint8Array = new Uint8Array(first.length + chunk.length);
    joined.set(first);
    joined.set(chunk, first.length);
    first = joined.length < 2 ? joined : null;
    if (first === null) yield joined;
  }
  if (first !== null && first.length > 0) yield first;
}

/** What undecodable octets become, and NUL. */
const SUSPICIOUS = /[\ufffd\0]/;

const faultOf = (text: string): string | null =>
  text.includes("\ufffd") ? NOT_UTF8 : text.includes("\0") ? HAS_NUL : null;

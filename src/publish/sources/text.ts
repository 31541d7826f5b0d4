import { MAX_LINE, type SourceSink } from "./source.ts";

/** A comment behind an address begins at a `#` after a blank; inside quotes it is part of the local part. */
const WITH_COMMENT = /^("(?:[^"\\]|\\.)*"@\S*|\S*)\s+#.*$/;

/**
 * Reads a list with an address a line. Empty lines and what follows a `#` at the line's start or after a blank
 * are skipped. Memory stays bounded by one chunk and one line, whatever the bytes are.
 *
 * @param chunks the file's bytes, UTF-8 with or without a byte order mark
 */
export async function readTextSource(chunks: AsyncIterable<Uint8Array>, sink: SourceSink): Promise<void> {
  const decoder = new TextDecoder();
  let line = 0;
  let rest = "";
  let overlong = false;
  let octets = 0;
  const take = (text: string): void => {
    line++;
    if (overlong || text.length > MAX_LINE) {
      sink.fault(line, `longer than ${MAX_LINE} octets`);
      overlong = false;
      return;
    }
    readLine(line, text, sink);
  };
  const feed = (text: string): void => {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      take(rest + text.slice(from, end));
      rest = "";
      from = end + 1;
    }
    rest += text.slice(from);
    if (rest.length > MAX_LINE) {
      overlong = true;
      rest = "";
    }
  };
  for await (const chunk of chunks) {
    octets += chunk.length;
    feed(decoder.decode(chunk, { stream: true }));
    sink.progress?.(octets);
  }
  feed(decoder.decode());
  if (rest !== "" || overlong) take(rest);
}

function readLine(line: number, text: string, sink: SourceSink): void {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.startsWith("#")) return;
  const address = trimmed.includes("#") ? trimmed.replace(WITH_COMMENT, "$1") : trimmed;
  sink.entry(line, address, "active");
}

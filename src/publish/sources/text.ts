import { eachLine } from "./lines.ts";
import { OVERLONG, type SourceSink } from "./source.ts";

/** A comment behind an address begins at a `#` after a blank; inside quotes it is part of the local part. */
const WITH_COMMENT = /^("(?:[^"\\]|\\.)*"@\S*|\S*)\s+#.*$/;

/**
 * Reads a list with an address a line. Empty lines and what follows a `#` at the line's start or after a blank
 * are skipped.
 */
export function readTextSource(chunks: AsyncIterable<Uint8Array>, sink: SourceSink): Promise<void> {
  const take = (line: number, text: string | null): void => {
    const trimmed = text?.trim();
    if (trimmed === undefined) sink.fault(line, OVERLONG);
    else if (trimmed !== "" && !trimmed.startsWith("#")) {
      sink.entry(line, trimmed.includes("#") ? trimmed.replace(WITH_COMMENT, "$1") : trimmed, "active");
    }
  };
  return eachLine(chunks, take, sink.progress);
}

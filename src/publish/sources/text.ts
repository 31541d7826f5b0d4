import { eachLine } from "./lines.ts";
import { OVERLONG, type SourceSink } from "./source.ts";

/** A quoted local part, within which nothing begins a comment. */
const QUOTED = /^"(?:[^"\\]|\\.)*"/;

/**
 * Reads a list with an address a line. Empty lines and what follows a `#` at the line's start or after a blank
 * are skipped.
 */
export function readTextSource(chunks: AsyncIterable<Uint8Array>, sink: SourceSink): Promise<void> {
  const take = (line: number, text: string | null): void => {
    const trimmed = text?.trim();
    if (trimmed === undefined) sink.fault(line, OVERLONG);
    else if (trimmed !== "" && !trimmed.startsWith("#")) {
      sink.entry(line, withoutComment(trimmed), "active");
    }
  };
  return eachLine(chunks, take, sink.progress);
}

function withoutComment(text: string): string {
  if (!text.includes("#")) return text;
  const quoted = QUOTED.exec(text)?.[0].length ?? 0;
  const comment = text.slice(quoted).search(/\s#/);
  return comment < 0 ? text : text.slice(0, quoted + comment).trimEnd();
}

import { eachLine } from "./lines.ts";
import type { ParseList } from "./source.ts";

/** A quoted local part. A `#` inside it does not start a comment. */
const QUOTED = /^"(?:[^"\\]|\\.)*"/;

/**
 * Parses a list with one address per line. Skips empty lines, and comments: from a `#` at the start of the line or
 * after white space.
 */
export const readText: ParseList = (chunks, sink, progress) =>
  eachLine(
    chunks,
    {
      line(line, text) {
        const trimmed = text.trim();
        if (trimmed !== "" && !trimmed.startsWith("#")) sink.entry(line, withoutComment(trimmed), "active");
      },
      fault: (line, reason) => sink.fault(line, reason),
    },
    progress,
  );

function withoutComment(text: string): string {
  if (!text.includes("#")) return text;
  const quoted = QUOTED.exec(text)?.[0].length ?? 0;
  const comment = text.slice(quoted).search(/\s#/);
  return comment < 0 ? text : text.slice(0, quoted + comment).trimEnd();
}

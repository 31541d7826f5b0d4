import type { Source } from "./source.ts";

/**
 * A source whose asterisks are characters of a name and make no patterns: in a directory or a table of another program,
 * `*` means nothing more.
 */
export const literalOf = (source: Source): Source => ({
  ...source,
  read: (sink, signal) =>
    source.read(
      {
        ...sink,
        entry: (line, address, state) => sink.entry(line, literal(address), state),
      },
      signal,
    ),
});

/** An address with a backslash before each asterisk that has none. */
const literal = (address: string): string =>
  address.includes("*") ? address.replace(/\\[\s\S]|\*/g, (part) => (part === "*" ? "\\*" : part)) : address;

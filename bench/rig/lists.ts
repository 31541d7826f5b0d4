/** Names of the benchmark, and lists of them. */
import { closeSync, openSync, writeSync } from "node:fs";

export const DOMAIN = "bench.example";

/** Names that the list has: user0, user1, ... */
export const KNOWN = "user";
/** Names that no list has: nobody0, nobody1, ... */
export const UNKNOWN = "nobody";
/** Unknown names are drawn from so many that hardly one comes twice. */
export const UNKNOWN_NAMES = 1e9;

const LINES_AT_ONCE = 100_000;

/** Writes a list, without having it in memory. */
export function writeList(path: string, count: number, domain = DOMAIN): void {
  const file = openSync(path, "w");
  try {
    for (let from = 0; from < count; from += LINES_AT_ONCE) {
      const lines = Array.from(
        { length: Math.min(LINES_AT_ONCE, count - from) },
        (_, i) => `${KNOWN}${from + i}@${domain}\n`,
      );
      writeSync(file, lines.join(""));
    }
  } finally {
    closeSync(file);
  }
}

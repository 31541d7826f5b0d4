/** Names of the benchmark, and lists of them. */
import { closeSync, openSync, writeSync } from "node:fs";

export const DOMAIN = "bench.example";
export const MILLION = 1_000_000;

/** Names on the list: user0, user1, ... */
export const KNOWN = "user";
/** Names on no list: nobody0, nobody1, ... */
export const UNKNOWN = "nobody";
/** Unknown names are drawn from so many that hardly any is drawn twice. */
export const UNKNOWN_NAMES = 1e9;

const LINES_AT_ONCE = 100_000;

/** Writes a list in pieces, so that it need not fit memory. @param after what follows each address. @param head of the file */
export function writeList(path: string, count: number, domain = DOMAIN, after = "", head = ""): void {
  const file = openSync(path, "w");
  writeSync(file, head);
  for (let from = 0; from < count; from += LINES_AT_ONCE) {
    const length = Math.min(LINES_AT_ONCE, count - from);
    writeSync(file, Array.from({ length }, (_, i) => `${KNOWN}${from + i}@${domain}${after}\n`).join(""));
  }
  closeSync(file);
}

/** Every other name is on a list of so many mailboxes. They are spread over it, the same in every run. */
export const mixedNames = (count: number, mailboxes: number): string[] =>
  Array.from(
    { length: count },
    (_, i) => `${i % 2 === 0 ? KNOWN : UNKNOWN}${(i * 2_654_435_761) % mailboxes}@${DOMAIN}`,
  );

export const isKnown = (name: string): boolean => name.startsWith(KNOWN);

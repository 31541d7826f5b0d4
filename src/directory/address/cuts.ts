/** How a name is cut to find the patterns that cover it. */

/** What a fixed part of a pattern ends or starts with: every character that a policy may have as delimiter. */
export const PATTERN_DELIMITERS = "-+=_#~.!%/";

/**
 * Delimiters of a pattern, at most, so that a check tries twelve patterns and no more: eight of the name, and of the name
 * without its subaddress four ends, since its starts are those of the name.
 */
export const MAX_PATTERN_DELIMITERS = 4;

/** Stands for the asterisk in the name of a pattern. No local part that a list can hold has a NUL. */
const ASTERISK = "\0";

/** Whether a name is that of a pattern. */
export const isPattern = (name: string): boolean => name.includes(ASTERISK);

/** A name as people write it: of a pattern with its asterisk. */
export const shownName = (name: string): string => name.replace(ASTERISK, "*");

const isDelimiter = (name: string, at: number): boolean => PATTERN_DELIMITERS.includes(name[at] as string);

/**
 * The names of the patterns that cover a name, the longest fixed part first; of two of one length, the prefix. A prefix
 * ends with one of the name's first four delimiters, a suffix starts with one of its last four. The asterisk stands for
 * one character at least. `.` needs no exception where dots are ignored: a canonical name has none.
 */
export function cutsOf(name: string): string[] {
  const last = name.length - 1;
  /** Lengths of prefixes, and places where suffixes start; the longest last. */
  const ends: number[] = [];
  const starts: number[] = [];
  for (let i = 0; i < last && ends.length < MAX_PATTERN_DELIMITERS; i++)
    if (isDelimiter(name, i)) ends.push(i + 1);
  for (let i = last; i > 0 && starts.length < MAX_PATTERN_DELIMITERS; i--)
    if (isDelimiter(name, i)) starts.push(i);
  const cuts: string[] = [];
  while (ends.length + starts.length > 0) {
    const prefix = ends.at(-1) ?? 0;
    const suffix = starts.at(-1) ?? name.length;
    if (prefix >= name.length - suffix) cuts.push(name.slice(0, ends.pop()) + ASTERISK);
    else cuts.push(ASTERISK + name.slice(starts.pop()));
  }
  return cuts;
}

const DELIMITERS = PATTERN_DELIMITERS.split("").join(" ");
const BESIDE = `an asterisk makes a pattern: ticket-* or *-support, with one of ${DELIMITERS} beside it (where dots are ignored, . is none); write \\* for an asterisk itself`;

/** The name of the pattern of a canonical fixed part, or why it is none. */
export function patternName(fixed: string, isPrefix: boolean): string | { fault: string } {
  if (!isDelimiter(fixed, isPrefix ? fixed.length - 1 : 0)) return { fault: BESIDE };
  const delimiters = fixed.split("").filter((each) => PATTERN_DELIMITERS.includes(each)).length;
  if (delimiters > MAX_PATTERN_DELIMITERS) {
    return {
      fault: `a pattern has at most ${MAX_PATTERN_DELIMITERS} of ${DELIMITERS}, and this one has ${delimiters}`,
    };
  }
  return isPrefix ? fixed + ASTERISK : ASTERISK + fixed;
}

/** An address of a list, without the asterisk that makes it a pattern. */
export interface ListedText {
  readonly text: string;
  /** What of a name the text has: all of it, or its start or end. */
  readonly has: "all" | "start" | "end";
}

/** Takes the asterisk of a pattern out of an address of a list, and the backslash before others. */
export function readAsterisk(address: string): ListedText | { fault: string } {
  if (!address.includes("*")) return { text: address, has: "all" };
  const parts: string[] = [""];
  for (const token of address.match(/\\[\s\S]|[\s\S]/g) as string[]) {
    if (token === "*") parts.push("");
    else parts[parts.length - 1] += token === "\\*" ? "*" : token;
  }
  const [before, after] = parts as [string, string?];
  const text = parts.join("");
  if (after === undefined) return { text, has: "all" };
  // An asterisk alone before the @ is the catch-all.
  if (parts.length === 2 && /^"?@[^@]*$/.test(after)) return { text, has: before === "" ? "all" : "start" };
  if (parts.length === 2 && /^"?$/.test(before)) return { text, has: "end" };
  return { fault: BESIDE };
}

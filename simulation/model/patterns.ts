/** Patterns as the model understands them: text with an asterisk at one end, and what a name starts or ends with. */
import type { DomainPolicy, EntryState } from "../../src/directory/index.ts";
import { type Name, spelled } from "./names.ts";

/** States by pattern, written as in a list: `t0-*` or `*-e0`. */
export type Patterns = ReadonlyMap<string, EntryState>;

/** Whether an entry is a pattern that covers a text: the asterisk stands for one character at least. */
export function covers(pattern: string, text: string): boolean {
  if (!pattern.includes("*") || text.length < pattern.length) return false;
  return pattern.startsWith("*") ? text.endsWith(pattern.slice(1)) : text.startsWith(pattern.slice(0, -1));
}

/** The patterns that cover a name, the one that decides first: the longest; of two of one length, the start. */
export function covering<T>(patterns: ReadonlyMap<string, T>, name: Name, policy: DomainPolicy): T[] {
  const text = spelled(name, policy);
  return [...patterns]
    .filter(([pattern]) => covers(pattern, text))
    .sort(([a], [b]) => b.length - a.length || Number(a.startsWith("*")) - Number(b.startsWith("*")))
    .map(([, value]) => value);
}

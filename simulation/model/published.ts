/** What a publish makes of a list to which single changes were made. */
import type { EntryState } from "../../src/directory/index.ts";
import { areComparable, type Content, type Generation } from "./generation.ts";
import type { History } from "./history.ts";

type List = ReadonlyMap<string, EntryState>;

/** What a publisher meant to make of a domain. */
export interface Meant extends Content {
  /** Whether single changes since the last publish are kept that its list does not know. */
  readonly keeps?: boolean;
}

/** What a commit makes of a domain. */
export interface Published {
  readonly content: Content;
  /** The list as its publisher says it is. */
  readonly published: List;
}

/** Bytes of one name that a commit keeps. */
const KEPT_BYTES = 11;

/**
 * What a publish makes of a domain: names that single changes changed since the last one stay so, if that was meant.
 * @param kept names that the commit says it keeps: how many tells which publish was the last one when it was planned. A
 * publish that changed nothing has made no generation, and may have come since
 * @returns null if no such names are known
 */
export function publishedBy(meant: Meant, head: Generation | undefined, kept: string): Published | null {
  const { keeps = false, ...content } = meant;
  const known = { content, published: content.list };
  if (!keeps || head === undefined || head.deletedUntil !== null || !areComparable(head, content))
    return known;
  const count = Buffer.from(kept, "base64url").length / KEPT_BYTES;
  const keptSince = (published: List): string[] =>
    differing(head.list, published).filter((name) => content.list.get(name) !== head.list.get(name));
  const names = head.published.map(keptSince).findLast(({ length }) => length === count);
  if (names === undefined) return null;
  // What a publish since has settled is not a single change any more.
  const stays = new Set(keptSince(head.published.at(-1) as List));
  const settled = names.filter((name) => !stays.has(name));
  return {
    content: { ...content, list: overlaid(content.list, head.list, names) },
    published: overlaid(content.list, head.list, settled),
  };
}

/**
 * Whether a generation is what a publisher meant. If it keeps single changes, somebody else may have published the same
 * list with them as its own.
 */
export function isMeant(
  history: History,
  generation: Generation,
  { keeps = false, ...content }: Meant,
): boolean {
  const changed = (keeps ? history.current : []).flatMap(({ list, published }) =>
    published
      .flatMap((each) => differing(list, each))
      .filter((name) => list.get(name) === generation.list.get(name)),
  );
  return sameContent(generation, { ...content, list: overlaid(content.list, generation.list, changed) });
}

export const sameContent = (a: Content, b: Content): boolean =>
  a.mode === b.mode &&
  a.epoch === b.epoch &&
  JSON.stringify(a.policy) === JSON.stringify(b.policy) &&
  differing(a.list, b.list).length === 0 &&
  differing(a.patterns, b.patterns).length === 0;

/** Names that have different states in two lists. */
const differing = (a: List, b: List): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));

/** A list in which some names are as in another one. */
function overlaid(list: List, by: List, names: readonly string[]): List {
  const result = new Map(list);
  for (const name of names) {
    const state = by.get(name);
    if (state === undefined) result.delete(name);
    else result.set(name, state);
  }
  return result;
}

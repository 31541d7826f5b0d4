/** What a publish makes of a list to which single changes were made. */
import type { EntryState } from "../../src/directory/index.ts";
import {
  areComparable,
  type Content,
  type Generation,
  isAccepted,
  type PublishedList,
  type Removals,
} from "./generation.ts";
import type { History } from "./history.ts";
import { openOnes, removalOf, removalsAfterPublish } from "./removals.ts";

type List = ReadonlyMap<string, EntryState>;

/** What a publisher meant to make of a domain. */
export interface Meant extends Content {
  /** Whether single changes since the last publish are kept that its list does not know. */
  readonly keeps?: boolean;
  /** Whether nobody decided that for this publish: then names that were refused with `--now` stay so. */
  readonly isStanding?: boolean;
}

/** What a commit makes of a domain. */
export interface Published {
  readonly content: Content;
  /** The list as its publisher says it is. */
  readonly published: PublishedList;
}

/** Bytes of one name that a commit keeps. */
const KEPT_BYTES = 11;

/**
 * What a publish makes of a domain: names that single changes changed since the last one stay so, if that was meant.
 * @param kept names that the commit says it keeps: how many tells which publish was the last one when it was planned. A
 * publish that changed nothing has made no generation, and may have come since
 * @returns null if no such names are known
 */
export function publishedBy(
  { keeps = false, isStanding = false, ...content }: Meant,
  head: Generation | undefined,
  kept: string,
): Published | null {
  const before = head?.published.at(-1)?.removals ?? new Map();
  const made = (list: List, published: List, names: readonly string[]): Published => ({
    content: { ...content, list },
    published: { list: published, removals: removalsAfterPublish(before, { ...content, list }, names) },
  });
  if (head === undefined || !areComparable(head, content)) return made(content.list, content.list, []);
  const isDeleted = head.deletedUntil !== null;
  /** What single changes made of names, which the new list has otherwise. */
  const openSince = ({ list, removals }: PublishedList): string[] => {
    const names = isDeleted ? [] : differing(head.list, list);
    return [...new Set([...names, ...openOnes(removals)])].filter((name) => {
      const listed = content.list.get(name);
      if (listed === stateOf(name, removals)) return false;
      return keeps || (isStanding && removalOf(removals, head, name)?.isOpen === true && isAccepted(listed));
    });
  };
  /** Of a deleted list, only removals are left. */
  const stateOf = (name: string, removals: Removals): EntryState | undefined =>
    isDeleted ? (removalOf(removals, head, name)?.state ?? undefined) : head.list.get(name);
  const count = Buffer.from(kept, "base64url").length / KEPT_BYTES;
  const found = head.published.map((it) => ({ it, names: openSince(it) }));
  const planned = found.findLast(({ names }) => names.length === count);
  if (planned === undefined) return null;
  const { names, it } = planned;
  const states = new Map(names.map((name) => [name, stateOf(name, it.removals)]));
  // What a publish since has settled is not a single change any more.
  const stays = new Set(openSince(head.published.at(-1) as PublishedList));
  const settled = names.filter((name) => !stays.has(name));
  return made(
    overlaid(content.list, states, names),
    overlaid(content.list, states, settled),
    names.filter((name) => stays.has(name)),
  );
}

/**
 * Whether a generation is what a publisher meant. If it keeps single changes, somebody else may have published the same
 * list with them as its own.
 */
export function isMeant(
  history: History,
  generation: Generation,
  { keeps = false, isStanding = false, ...content }: Meant,
): boolean {
  const changed = (keeps || isStanding ? history.current : []).flatMap(({ list, published }) =>
    published
      .flatMap((each) => [
        ...differing(list, each.list),
        ...[...each.removals.values()].map(({ name }) => name),
      ])
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
function overlaid(
  list: List,
  by: ReadonlyMap<string, EntryState | undefined>,
  names: readonly string[],
): List {
  const result = new Map(list);
  for (const name of names) {
    const state = by.get(name);
    if (state === undefined) result.delete(name);
    else result.set(name, state);
  }
  return result;
}

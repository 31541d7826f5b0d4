/** Who was refused with `--now`: it holds until a list without the name was published, and then until a list has it again. */
import type { EntryState } from "../../src/directory/index.ts";
import {
  areComparable,
  type Content,
  type Generation,
  isAccepted,
  milderOf,
  type PublishedList,
  type Removal,
  type Removals,
} from "./generation.ts";
import type { History } from "./history.ts";

/** The same name under another spelling is another one. */
const keyOf = ({ epoch, policy }: Content, name: string): string =>
  `${epoch} ${policy.case} ${policy.dots} ${name}`;

/** The removal of a name of a list. */
export const removalOf = (removals: Removals, list: Content, name: string): Removal | undefined =>
  removals.get(keyOf(list, name));

export const openOnes = (removals: Removals): string[] =>
  [...removals.values()].flatMap(({ name, isOpen }) => (isOpen ? [name] : []));

/** A single change of a name. */
export function removalsAfterChange(
  removals: Removals,
  name: string,
  state: EntryState | null,
  made: {
    readonly was: EntryState | null;
    readonly now: boolean;
    readonly number: number;
    readonly under: Content;
  },
): Removals {
  const { was, now, number, under } = made;
  const next = new Map(removals);
  const key = keyOf(under, name);
  const before = removals.get(key);
  if (isAccepted(state ?? undefined)) next.delete(key);
  else if (before?.isOpen && before.state === state) return removals;
  else if (now || (before !== undefined && was !== state))
    next.set(key, { name, state, number, isOpen: true, under });
  return next;
}

/** A list is published. @param kept names that it has only because of single changes */
export function removalsAfterPublish(removals: Removals, list: Content, kept: readonly string[]): Removals {
  const stays = new Set(kept);
  const settled = [...removals].map(
    ([key, it]) => [key, { ...it, isOpen: it.isOpen && stays.has(it.name) }] as const,
  );
  return withoutAccepted(new Map(settled), list);
}

/** Whom a list accepts is not removed any more. Names of another spelling cannot be told. */
const withoutAccepted = (removals: Removals, list: Content): Removals =>
  new Map(
    [...removals].filter(
      ([, { name, under }]) => !(areComparable(under, list) && isAccepted(list.list.get(name))),
    ),
  );

/** What a rollback makes of an old list. */
export interface Restored {
  readonly content: Content;
  readonly published: PublishedList;
}

/**
 * A list is the head again: who was removed since is removed again.
 * @param number of the new generation
 * @param drops whether a person says that they are not
 */
export function restored(
  { domain, head: present }: History,
  target: Generation,
  number: number,
  drops: boolean,
  violation: (assertion: string, words: string) => void,
): Restored {
  const head = present ?? target;
  const removed = [...(head.published.at(-1)?.removals ?? [])];
  const then = target.published.at(-1) as PublishedList;
  const since = removed.filter(
    ([, it]) => it.number > target.number && removalOf(then.removals, target, it.name)?.isOpen !== true,
  );
  const isSame = areComparable(head, target);
  const again = since.filter(([, { under }]) => isSame && areComparable(under, target));
  const strange = since.filter((it) => !again.includes(it)).map(([, { name }]) => name);
  if (strange.length > 0 && !drops)
    violation("who is removed at once stays so", `${domain} ${number} forgets ${strange.join(", ")}`);
  const made = drops || target.policy.alias !== null ? [] : again;
  const list = new Map(target.list);
  const removals = new Map(
    removed.filter((it) => !drops || !since.includes(it)).map(([key, it]) => [key, { ...it, isOpen: false }]),
  );
  for (const [key, it] of then.removals) if (it.isOpen) removals.set(key, { ...it, number });
  for (const [key, it] of made) {
    removals.set(key, { ...it, number, isOpen: true });
    if (it.state === null) list.delete(it.name);
    else list.set(it.name, it.state);
  }
  const { patterns, policy, epoch } = target;
  // A rollback never refuses more than a person chose since.
  const content = { list, patterns, policy, mode: milderOf(target.mode, head.mode), epoch };
  return {
    content,
    published: { list: then.list, removals: withoutAccepted(removals, content) },
  };
}

/** Of the single changes of a list that is deleted, only removals at once are left. */
export const afterDeletion = (head: Generation | undefined): PublishedList => {
  const { list = new Map(), removals = new Map() } = head?.published.at(-1) ?? {};
  return { list, removals };
};

/**
 * What the law says of single changes, in plain sets: which are open, and who was refused with `--now`. It knows no
 * fingerprints, no rows and no spans: each generation simply remembers what was open at its end.
 */
export const GONE = -1;
export const isAccepted = (state: number): boolean => state === 0 || state === 2;

/** States by name. A name that is missing is not listed. */
export type List = ReadonlyMap<string, number>;

export interface Refused {
  readonly name: string;
  readonly state: number;
  /** The generation since which it is so. */
  readonly since: number;
  /** Whether no list has settled it. */
  readonly isOpen: boolean;
  readonly spelling: string;
}

export interface Generation {
  readonly list: List;
  /** The list as its publisher says it is. */
  readonly published: List;
  /** Who was refused with `--now`, by spelling and name. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** Whether names of two generations can be compared. */
  readonly spelling: string;
  readonly isDeleted: boolean;
}

export const stateIn = (list: List, name: string): number => list.get(name) ?? GONE;

/** The same name under another spelling is another one. */
const keyOf = ({ spelling }: Pick<Generation, "spelling">, name: string): string => `${spelling} ${name}`;

/** How a name was refused with `--now`, if it was. */
export const refusalOf = (generation: Generation, name: string): Refused | undefined =>
  generation.refused.get(keyOf(generation, name));

export const withStates = (list: List, states: Iterable<readonly [string, number]>): List => {
  const next = new Map(list);
  for (const [name, state] of states) {
    if (state === GONE) next.delete(name);
    else next.set(name, state);
  }
  return next;
};

/** Open changes: what each name was made, `!` behind those that were refused with `--now`. */
export function openIn({ list, published, refused, isDeleted }: Generation): ReadonlyMap<string, number> {
  const names = isDeleted ? [] : [...list.keys(), ...published.keys()];
  const open = names.filter((name) => stateIn(list, name) !== stateIn(published, name));
  const held = [...refused.values()].filter(({ isOpen }) => isOpen);
  return new Map([
    ...open.map((name) => [name, stateIn(list, name)] as const),
    ...held.map(({ name, state }) => [name, state] as const),
  ]);
}

/** Who is accepted is not refused any more. Names of another spelling are other names. */
const lifted = (generation: Generation): Generation => ({
  ...generation,
  refused: new Map(
    [...generation.refused].filter(
      ([, { name, spelling }]) =>
        spelling !== generation.spelling || !isAccepted(stateIn(generation.list, name)),
    ),
  ),
});

/** Who was refused since a generation, and cannot be found in its list. */
export const strangeTo = (head: Generation, to: number, then: Generation): readonly string[] =>
  [...refusedSince(head, to, then)]
    .filter(([, it]) => head.spelling !== then.spelling || it.spelling !== then.spelling)
    .map(([key]) => key);

/** Who was refused since a generation, and not in it. */
const refusedSince = ({ refused }: Generation, to: number, then: Generation): Generation["refused"] =>
  new Map([...refused].filter(([, { since, name }]) => since > to && refusalOf(then, name)?.isOpen !== true));

/** Single changes: a person's word. */
export function changed(head: Generation, states: List, atOnce: boolean, number: number): Generation {
  const refused = new Map(head.refused);
  for (const [name, state] of states) {
    const key = keyOf(head, name);
    const before = refused.get(key);
    const isSaid = stateIn(head.list, name) !== state;
    if (before?.isOpen && !isSaid) continue;
    if (!isAccepted(state) && (atOnce || (before !== undefined && isSaid)))
      refused.set(key, { name, state, since: number, isOpen: true, spelling: head.spelling });
  }
  return lifted({ ...head, list: withStates(head.list, states), refused });
}

/** A list is published. @param kept names that stay as single changes made them */
export function publishedAs(head: Generation, source: List, kept: ReadonlyMap<string, number>): Generation {
  const refused = [...head.refused].map(
    ([key, it]) => [key, { ...it, isOpen: it.isOpen && kept.has(it.name) }] as const,
  );
  const list = withStates(source, kept);
  return lifted({ ...head, list, published: source, refused: new Map(refused), isDeleted: false });
}

/** Only refusals with `--now` outlast a list. */
export const deleted = (head: Generation): Generation => ({
  ...head,
  list: new Map(),
  published: new Map(),
  isDeleted: true,
});

/** A list is the head again, with what was open then; who was refused with `--now` since is refused again. */
export function restored(
  head: Generation,
  to: number,
  then: Generation,
  drops: boolean,
  number: number,
): Generation {
  const stays = [...head.refused].filter(([, { since }]) => !drops || since <= to);
  const refused = new Map(stays.map(([key, it]) => [key, { ...it, isOpen: false }]));
  for (const [key, it] of then.refused) if (it.isOpen) refused.set(key, { ...it, since: number });
  let { list } = then;
  const strange = strangeTo(head, to, then);
  for (const [key, { name, state }] of drops ? [] : refusedSince(head, to, then)) {
    if (strange.includes(key)) continue;
    refused.set(key, { name, state, since: number, isOpen: true, spelling: then.spelling });
    list = withStates(list, [[name, state]]);
  }
  return lifted({ ...then, list, refused });
}

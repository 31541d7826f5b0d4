/** The lists that the guard protects: those that were a domain's head within the last day. */
import { concatBytes } from "../bytes.ts";
import { damaged } from "../errors.ts";

/** How far the guard looks back, milliseconds. */
export const GUARD_SPAN = 86_400_000;
/** Lists that one ledger can hold: a commit every 1.3 seconds, all day. */
export const MAX_GUARDED_LISTS = 65_536;

/** A list that was the domain's head within the guard's day. */
export interface GuardedList {
  readonly generation: number;
  /** Names that it accepts or defers. */
  readonly accepted: number;
  /** How many of them are refused now, without those that an override refused. */
  readonly lost: number;
  /** Names below a catch-all that it refuses, and the list before did not, without an override; left out if there are none. */
  readonly hidden?: number;
  /** The Unix second in which a newer list replaced it, null while it is the newest. */
  readonly superseded: number | null;
}

/** Lists that were the newest at any time within the guard's day, the oldest first. */
export const listsOfDay = (lists: readonly GuardedList[], now: number): GuardedList[] =>
  lists.filter(({ superseded }) => superseded === null || superseded * 1000 > now - GUARD_SPAN);

/*
 * A ledger's lists as bytes: five columns of u32, little-endian. `superseded` is 0 for the newest list.
 */
const LIST_BYTES = 20;

export function encodeLists(lists: readonly GuardedList[]): Uint8Array {
  const column = (of: (list: GuardedList) => number): Uint8Array =>
    new Uint8Array(Uint32Array.from(lists, of).buffer);
  return concatBytes([
    column(({ generation }) => generation),
    column(({ accepted }) => accepted),
    column(({ lost }) => lost),
    column(({ superseded }) => superseded ?? 0),
    column(({ hidden = 0 }) => hidden),
  ]);
}

/** @throws DirectoryError `damaged` */
export function decodeLists(bytes: Uint8Array): GuardedList[] {
  if (bytes.length % LIST_BYTES !== 0) throw damaged(`the guard's lists have ${bytes.length} bytes`);
  const count = bytes.length / LIST_BYTES;
  const columns = new Uint32Array(new Uint8Array(bytes).buffer);
  const lists = Array.from({ length: count }, (_, i) => ({
    generation: columns[i] as number,
    accepted: columns[count + i] as number,
    lost: columns[2 * count + i] as number,
    superseded: columns[3 * count + i] || null,
    ...(columns[4 * count + i] === 0 ? {} : { hidden: columns[4 * count + i] as number }),
  }));
  if (lists.some(({ generation }, i) => generation <= (lists[i - 1]?.generation as number))) {
    throw damaged("the guard's lists are not in order");
  }
  return lists;
}

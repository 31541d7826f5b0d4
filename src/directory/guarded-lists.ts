/** The lists that the guard protects: those that were a domain's head within the last day. */
import { concatBytes } from "./bytes.ts";
import { damaged } from "./errors.ts";

/** The guard looks back this far, milliseconds. */
export const GUARD_SPAN = 86_400_000;
/** Lists that one ledger can hold: one commit every 1.3 seconds, all day. */
export const MAX_GUARDED_LISTS = 65_536;

/** A list that was the domain's head within the guard's day. */
export interface GuardedList {
  readonly generation: number;
  /** Names that it accepts or defers. */
  readonly accepted: number;
  /** How many of them are refused now, those that an override refused left out. */
  readonly lost: number;
  /** The Unix second in which it ceased to be the newest list, null while it is. */
  readonly superseded: number | null;
}

/** Lists of the guard's day, the oldest first: those that were the newest at any time within it. */
export const listsOfDay = (lists: readonly GuardedList[], now: number): GuardedList[] =>
  lists.filter(({ superseded }) => superseded === null || superseded * 1000 > now - GUARD_SPAN);

/*
 * A ledger's lists as bytes: four columns of u32, little-endian. A list that is still the newest has 0 for the second
 * in which it was superseded.
 */
const LIST_BYTES = 16;

export function encodeLists(lists: readonly GuardedList[]): Uint8Array {
  const column = (of: (list: GuardedList) => number): Uint8Array =>
    new Uint8Array(Uint32Array.from(lists, of).buffer);
  return concatBytes([
    column(({ generation }) => generation),
    column(({ accepted }) => accepted),
    column(({ lost }) => lost),
    column(({ superseded }) => superseded ?? 0),
  ]);
}

/** @throws DirectoryError `damaged` */
export function decodeLists(bytes: Uint8Array): GuardedList[] {
  if (bytes.length % LIST_BYTES !== 0) throw damaged(`lists of the guard in ${bytes.length} bytes`);
  const count = bytes.length / LIST_BYTES;
  const columns = new Uint32Array(new Uint8Array(bytes).buffer);
  const lists = Array.from({ length: count }, (_, i) => ({
    generation: columns[i] as number,
    accepted: columns[count + i] as number,
    lost: columns[2 * count + i] as number,
    superseded: columns[3 * count + i] || null,
  }));
  if (lists.some(({ generation }, i) => i > 0 && generation <= (lists[i - 1]?.generation as number))) {
    throw damaged("lists of the guard are not in order");
  }
  return lists;
}

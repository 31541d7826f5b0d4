/** When names that left are asked for so often that they did not leave, but were removed by mistake. */

/** Fewer distinct names never do: somebody who knows a few leavers must not be able to hold the others back. */
const FEWEST = 10;
/** Nor does a smaller share of the list: more leave on an ordinary day of a large organisation. */
const SHARE_OF_LIST = 1 / 1_000;
/** Share of the names that left which is expected to be asked for in a day, and at once: one sender writes to many. */
const SHARE_IN_A_DAY = 1 / 4;
const SHARE_AT_ONCE = 1 / 50;
const DAY = 86_400;

/**
 * The number of distinct names asked for from which names that left are held.
 * @param left names that left together
 * @param accepted names that the list accepts now
 * @param age seconds since they left
 */
export const brakeLimit = (left: number, accepted: number, age: number): number =>
  Math.max(
    FEWEST,
    accepted * SHARE_OF_LIST,
    left * Math.min(SHARE_IN_A_DAY, Math.max(SHARE_AT_ONCE, (SHARE_IN_A_DAY * age) / DAY)),
  );

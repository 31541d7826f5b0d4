/**
 * The time at which a blob of the head expires: never. It takes as many octets in a row as any time, and so do a number and its
 * negative, so that SQLite changes a row of a large blob in place. A row that changes its length is written as a whole.
 */
export const NEVER = 2 ** 47 - 1;

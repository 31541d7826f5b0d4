import type { Position, QuestionAnswer } from "../api/index.ts";
import { getMeta } from "./meta.ts";
import type { RegistryStorage } from "./ports.ts";

/**
 * "What changed since N?", read in one synchronous step. A reader with another log, or with less than the log still
 * covers, gets everything.
 *
 * @param most if the reader knows nothing: more heads or revocations than this are not listed. No limit by default
 */
export function changesSince(
  storage: RegistryStorage,
  since: Position | null,
  most?: number,
): Omit<QuestionAnswer, "wanted"> {
  const incarnation = getMeta(storage, "incarnation") as number;
  const asOf = getMeta(storage, "number") ?? 0;
  const from = since?.incarnation === incarnation ? since.number : -1;
  const isAll = from < (getMeta(storage, "purged") ?? 0) || from > asOf;
  const after = isAll ? -1 : from;
  const limit = since === null && most !== undefined ? most : null;
  // One row more than the limit shows that there are too many, without reading them all.
  const rows = limit === null ? -1 : limit + 1;
  const heads = storage.sql("SELECT domain, number FROM heads WHERE number > ? LIMIT ?", after, rows);
  const revoked = storage.sql("SELECT id FROM revocations WHERE number > ? LIMIT ?", after, rows);
  const isTooMuch = limit !== null && (heads.length > limit || revoked.length > limit);
  return {
    incarnation,
    asOf,
    full: isAll && !isTooMuch,
    heads: isTooMuch ? [] : heads.map((row) => [row.domain as string, row.number as number] as const),
    revoked: isTooMuch ? [] : revoked.map((row) => row.id as string),
  };
}

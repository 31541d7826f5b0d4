import type { Position, QuestionAnswer } from "../../api/index.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta } from "../storage/meta.ts";

/** The position of a reader in the log, and what it gets. */
interface ReaderPosition {
  readonly incarnation: number;
  /** The newest number. */
  readonly asOf: number;
  /** The newest number that was pruned. */
  readonly purged: number;
  /** Whether the reader gets everything: it knows another log, or less than the log still covers. */
  readonly isAll: boolean;
  /** What the answer lists is newer than this number. */
  readonly from: number;
}

export function positionIn(storage: RegistryStorage, since: Position | null): ReaderPosition {
  const incarnation = getMeta(storage, "incarnation") as number;
  const asOf = getMeta(storage, "number") ?? 0;
  const purged = getMeta(storage, "purged") ?? 0;
  const known = since?.incarnation === incarnation ? since.number : -1;
  const isAll = known < purged || known > asOf;
  return { incarnation, asOf, purged, isAll, from: isAll ? -1 : known };
}

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
  const { incarnation, asOf, isAll, from } = positionIn(storage, since);
  const limit = since === null && most !== undefined ? most : null;
  // One row more than the limit shows that there are too many, without reading them all.
  const rows = limit === null ? -1 : limit + 1;
  const heads = storage.sql("SELECT domain, number FROM heads WHERE number > ? LIMIT ?", from, rows);
  const revoked = storage.sql("SELECT id FROM revocations WHERE number > ? LIMIT ?", from, rows);
  const isTooMuch = limit !== null && (heads.length > limit || revoked.length > limit);
  return {
    incarnation,
    asOf,
    full: isAll && !isTooMuch,
    heads: isTooMuch ? [] : heads.map((row) => [row.domain as string, row.number as number] as const),
    revoked: isTooMuch ? [] : revoked.map((row) => row.id as string),
  };
}

/** What names that left before lose by a list with which they cannot be compared. A person who overrides the guard reads it. */
import {
  acceptedCount,
  comparable,
  departureColumns,
  HELD,
  isSuspended,
  type ManifestRecord,
  plural,
  smallestLarge,
} from "../../directory/index.ts";
import { Damage } from "../failure.ts";
import { blobsOfDomain } from "./compute-departures.ts";
import { type Coming, type GraceContext, refusesFromOf } from "./list-grace.ts";

const DAY = 86_400;

/** What a list takes from names that left before. */
export interface LostGraces {
  /** Names that lose the rest of a grace that is longer than the list-wide one; null: that is not known. */
  readonly early: number | null;
  /** Names that the brake does not watch any more. */
  readonly unwatched: number;
}

export function countLostGraces(
  context: GraceContext,
  coming: Omit<Coming, "isLost">,
  left: ManifestRecord,
): LostGraces {
  if (comparable(left, coming) && left.policy.alias === coming.policy.alias)
    return { early: 0, unwatched: 0 };
  const refusesFrom = refusesFromOf(context, { ...coming, isLost: false }, left);
  return {
    early: countPast(context, left, refusesFrom / 1000),
    unwatched: countWatched(left, context.now / 1000),
  };
}

/** @returns a part of a sentence; empty if they lose nothing */
export function lostGraces(
  context: GraceContext,
  coming: Omit<Coming, "isLost">,
  left: ManifestRecord,
): string {
  const { early, unwatched } = countLostGraces(context, coming, left);
  const parts = [
    early === null
      ? "; how many names that left would lose the rest of a longer grace is not known, since their record is damaged"
      : early === 0
        ? ""
        : `; ${plural(early, "name")} that left would lose the rest of a longer grace`,
    unwatched === 0 ? "" : `; the brake would not watch ${plural(unwatched, "name")} that left within a day`,
  ];
  return parts.join("");
}

/** Names that are deferred until after a second; null if that cannot be read. */
function countPast(
  { records }: GraceContext,
  { domain, departures }: ManifestRecord,
  last: number,
): number | null {
  let count = 0;
  try {
    for (const { until } of departureColumns(blobsOfDomain(records, domain, 0), departures))
      for (const second of until) if (second !== HELD && second > last) count++;
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    return null;
  }
  return count;
}

/** Names that left so lately, and are so many, that the brake may still have to hold them. */
function countWatched({ departures, counts }: ManifestRecord, second: number): number {
  const young = (departures.groups?.groups ?? []).filter(
    ({ id, at }) => !isSuspended(id) && second - at < DAY,
  );
  const count = young.reduce((sum, { gone }) => sum + gone, 0);
  return count < smallestLarge(acceptedCount(counts)) ? 0 : count;
}

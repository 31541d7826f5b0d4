import type { Position } from "../../api/index.ts";
import type { Changes } from "../../client/index.ts";

/** As the edge's ROLLCALL_PARTITIONS and ROLLCALL_WINDOW allow. */
const MAX_PARTITIONS = 256;
const MIN_WINDOW = 2_000;
const MAX_WINDOW = 3_600_000;

/**
 * What is wrong with an answer that the client found well-formed, for people; null if nothing is.
 *
 * @param known the newest position that is known of the log; the question asked from there
 * @param partitionOf the partition of a domain among so many
 */
export function faultInChanges(
  { partition, partitions, window, time, answer }: Changes,
  known: Position | null,
  partitionOf: (domain: string, partitions: number) => number,
): string | null {
  const { incarnation, full, heads } = answer;
  if (partitions > MAX_PARTITIONS) return `it has ${partitions} partitions`;
  if (!(window >= MIN_WINDOW && window <= MAX_WINDOW)) return `its window is ${window / 1000} s`;
  // A year that no clock shows would end every contact at once.
  if (!(time > 0 && time < MAX_TIME)) return "its time is out of range";
  if (!full && incarnation !== known?.incarnation) return "it is from another log and incomplete";
  const foreign = heads.find(([domain]) => partitionOf(domain, partitions) !== partition);
  return foreign === undefined ? null : `it names ${foreign[0]}, which belongs to another partition`;
}

/** A log that is older than what is known of it: in which way, and what to do, for people. */
export interface OlderLog {
  readonly why: string;
  readonly fix: string;
}

/** Null if the log is not older. */
export function olderThanKnown(log: Position, known: Position | null): OlderLog | null {
  if (known !== null && log.incarnation < known.incarnation) {
    return {
      why: `it is from an older log (${log.incarnation}) than one seen before (${known.incarnation})`,
      fix: "if this host belongs to another Registry now, stop the bridge, run `rollcall replica forget`, and start it",
    };
  }
  if (log.incarnation === known?.incarnation && log.number < known.number) {
    return {
      why: `it ends at ${log.number}, and ${known.number} was seen before`,
      fix: "if the Registry was restored to an earlier time, run `rollcall registry restored` (docs/restoring.md)",
    };
  }
  return null;
}

/** The year 2200. */
const MAX_TIME = 7_258_118_400_000;

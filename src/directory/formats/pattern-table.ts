/**
 * The patterns of a list, such as `ticket-*` or `*-support`, each with a state. Their table is a shard of its own, so that
 * it is encoded, looked up and compared as names are.
 */
import { damaged } from "../errors.ts";
import { ACTIVE, countStates, decodeShard, emptyShard, FULL, type Shard } from "./shard.ts";

/** Patterns of one list, at most. */
export const MAX_PATTERNS = 2_000;

/** The patterns of a generation, as a manifest has them. */
export interface PatternTable {
  /** The bytes of the table, null if there are none any more. */
  readonly table: Uint8Array | null;
  /** Departures may have patterns until this Unix second; 0 if they have none. */
  readonly departedUntil: number;
}

/** The table of a generation's own patterns, null if it has none. */
export const listedPatterns = ({ patterns }: { readonly patterns: PatternTable | null }): Uint8Array | null =>
  patterns?.table ?? null;

/**
 * Decodes a table of patterns.
 * @throws DirectoryError `damaged` if it is none: not a shard, one of several, empty, or too large
 */
export function decodePatterns(bytes: Uint8Array): Shard {
  const shard = decodeShard(bytes);
  if (shard.bits !== 0 || shard.count === 0 || shard.count > MAX_PATTERNS) {
    throw damaged(`${shard.count} patterns in a table of 1 to ${MAX_PATTERNS}`);
  }
  return shard;
}

/** A table as a shard; one without entries if there is none. */
export const patternShardOf = (table: Uint8Array | null): Shard => decodeShard(table ?? emptyShard());

/** How many patterns a table has. */
export const patternCount = (table: Uint8Array | null): number => patternShardOf(table).count;

/** Whether a table has a pattern that accepts or defers mail. */
export function acceptsByPattern(table: Uint8Array | null): boolean {
  const counts = countStates(patternShardOf(table));
  return counts[ACTIVE] + counts[FULL] > 0;
}

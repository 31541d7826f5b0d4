/** The generation that a plan starts from, as the edge describes it. */
import type { DomainDescription, ShardTable } from "../api/index.ts";
import {
  type BlobTable,
  type Counts,
  concatBytes,
  DEFAULT_POLICY,
  type DomainPolicy,
  decodePatched,
  decodePatterns,
  fromBase64Url,
  fromHex,
  type Mode,
  type OpenName,
  PATTERN_CANONICALISER,
} from "../directory/index.ts";
import type { RemoteList } from "./compare.ts";
import { PublishError, SAME_RELEASE } from "./errors.ts";

/** The generation that a plan starts from. */
export interface Base {
  readonly generation: number;
  readonly deleted: boolean;
  readonly keyId: string;
  readonly policy: DomainPolicy;
  readonly mode: Mode;
  readonly counts: Counts;
  readonly list: RemoteList;
  /** Its table of patterns, null if there are none. */
  readonly patterns: Uint8Array | null;
  /** Whether it has patterns, or may defer what one covers that left. */
  readonly hasPatterns: boolean;
  /** Whether names left it lately, and some may be deferred still. */
  readonly isLeaving: boolean;
  /** Names that single changes changed since the last publish; null or left out if that is not known. */
  readonly patched?: readonly OpenName[] | null;
  /** Names that left and that the brake holds; null or left out if there are none. */
  readonly brake?: DomainDescription["brake"];
  /** About how many distinct names enforce mode would have refused in the last day; null or left out if not known. */
  readonly wouldRefuse?: number | null;
}

/** The head as the edge describes it. */
export function baseOf(description: DomainDescription, readShard: (id: string) => Promise<Uint8Array>): Base {
  const { generation, policy, mode, counts, patched, pattern_table: table } = description;
  return {
    generation,
    deleted: description.deleted_until !== null,
    keyId: description.key_id,
    policy: { ...DEFAULT_POLICY, ...policy },
    mode,
    counts,
    list: { table: tableFrom(description.shards), read: readShard },
    hasPatterns: description.canonicaliser === PATTERN_CANONICALISER,
    isLeaving: description.departures > 0,
    patterns: table === null ? null : readEdge(() => patternsFrom(table)),
    // Names of another generation would be settled without a look at them.
    patched:
      patched?.generation === generation
        ? decodePatched(fromBase64Url(patched.names), fromBase64Url(patched.at_once))
        : null,
    brake: description.brake,
    wouldRefuse: description.would_refuse,
  };
}

const NONE = new Uint8Array(0);

/** @throws PublishError `protocol` if the edge sent no valid table */
export const tableFrom = (table: ShardTable): BlobTable =>
  readEdge(() => {
    if ("inline" in table) return { bits: 0, inline: fromBase64Url(table.inline), ids: NONE };
    if (table.ids.length !== 2 ** table.bits) throw new RangeError("number of ids");
    return { bits: table.bits, inline: null, ids: concatBytes(table.ids.map(fromHex)) };
  });

function patternsFrom(text: string): Uint8Array {
  const bytes = fromBase64Url(text);
  decodePatterns(bytes);
  return bytes;
}

/** Reads a part of the edge's answer. @throws PublishError `protocol` if that fails */
function readEdge<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new PublishError(
      "protocol",
      "this release cannot read the list that the edge describes",
      SAME_RELEASE,
    );
  }
}

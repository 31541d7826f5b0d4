import { equalBytes, fromBase64Url, toBase64Url, utf8 } from "./bytes.ts";
import { damaged } from "./errors.ts";
import type { Mac } from "./hashing.ts";

/** Key of the roster that offline exports write, beside those of the partitions. */
export const KV_ROSTER = "kv";

/** Who is served: every domain with the number of its head, tombstones included. */
export interface Roster {
  /** Partition number as text, or {@link KV_ROSTER}. */
  readonly partition: string;
  /** Number of partitions over which domains are spread. */
  readonly partitions: number;
  readonly incarnation: number;
  /** The number up to which `heads` and `revoked` are complete. */
  readonly asOf: number;
  /** When the Registry last vouched for this, Unix milliseconds. */
  readonly heartbeat: number;
  readonly heads: Readonly<Record<string, number>>;
  /** Ids of revoked tokens that have not expired. */
  readonly revoked: readonly string[];
}

/** Text of a roster: the MAC in base64url, a newline, JSON. Text, since KV reads text in bulk and not bytes. */
export function encodeRoster(roster: Roster, mac: Mac): string {
  const json = JSON.stringify({ format: 1, ...roster });
  return `${toBase64Url(mac(utf8(json)))}\n${json}`;
}

/**
 * Reads a roster back.
 * @param partition the partition that it was looked up under
 * @throws DirectoryError `damaged`
 */
export function openRoster(text: string, partition: string, mac: Mac): Roster {
  const end = text.indexOf("\n");
  const json = text.slice(end + 1);
  if (end < 0 || !equalBytes(macOf(text.slice(0, end)), mac(utf8(json)))) {
    throw damaged(`roster ${partition} fails its MAC`);
  }
  const { format, ...roster } = JSON.parse(json) as Roster & { format: number };
  if (format !== 1) throw damaged(`roster ${partition} of unknown format ${format}`);
  if (roster.partition !== partition) throw damaged(`roster of another partition than ${partition}`);
  return roster;
}

function macOf(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch {
    return new Uint8Array(0);
  }
}

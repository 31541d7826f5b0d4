import { equalBytes, fromBase64Url, toBase64Url, utf8 } from "../bytes.ts";
import { damaged } from "../errors.ts";
import type { Mac } from "../hashing.ts";

/** The served domains of one partition, each with its head's number, tombstones included. */
export interface Roster {
  /** The partition's number as text. */
  readonly partition: string;
  /** Number of partitions over which domains are spread. */
  readonly partitions: number;
  readonly incarnation: number;
  /** The log's number up to which `heads` and `revoked` are complete. */
  readonly asOf: number;
  /** When the Registry last confirmed this, Unix milliseconds. */
  readonly heartbeat: number;
  readonly heads: Readonly<Record<string, number>>;
  /** Ids of revoked tokens that have not expired. */
  readonly revoked: readonly string[];
}

/** A roster as text: the MAC in base64url, a newline, JSON. Text, since KV's bulk reads return no bytes. */
export function encodeRoster(roster: Roster, mac: Mac): string {
  const json = JSON.stringify({ format: 1, ...roster });
  return `${toBase64Url(mac(utf8(json)))}\n${json}`;
}

/**
 * Verifies and decodes a roster.
 * @param partition the partition under which it was found
 * @throws DirectoryError `damaged`
 */
export function openRoster(text: string, partition: string, mac: Mac): Roster {
  const end = text.indexOf("\n");
  const json = text.slice(end + 1);
  if (!equalBytes(macOf(text.slice(0, end)), mac(utf8(json)))) {
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

/** Verifies heads and their blobs, a bounded part at a time: damage that nobody asks for is found too. */

import { blobsOf } from "../../directory/index.ts";
import { Damage } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import { nextNumber, setMeta } from "../storage/meta.ts";
import { clearDamage, type DamageContext, noteDamage } from "./damages.ts";
import { type Head, lostHead, type Records } from "./records.ts";

/** What one step reads at most, but for the head that it begins with: about 50 ms of work. */
const HEADS = 250;
const BYTES = 2 * 1024 * 1024;

/** What one step found. */
export interface Verified {
  /** Heads that were looked at. */
  readonly heads: number;
  readonly damages: readonly Damage[];
  /** Domains whose head is whole, blobs included. */
  readonly sound: readonly string[];
  /** Where the next step goes on; null after the last domain. */
  readonly next: string | null;
}

/** A domain, and how many of its blobs were verified; a space is in no domain. */
const placeIn = (domain: string, blobs: number): string => `${domain} ${blobs}`;

function readPlace(place: string | null): { readonly domain: string; readonly blobs: number } {
  const [domain = "", blobs] = (place ?? "").split(" ");
  return { domain, blobs: Number(blobs) || 0 };
}

/** Verifies the next heads in the order of their domains. @param from `next` of the step before, null to begin */
export function verifyHeads(storage: RegistryStorage, records: Records, from: string | null): Verified {
  const start = readPlace(from);
  const rows = storage.sql(
    "SELECT domain FROM heads WHERE domain >= ? ORDER BY domain LIMIT ?",
    start.domain,
    HEADS + 1,
  );
  const damages: Damage[] = [];
  const sound: string[] = [];
  let left = BYTES;
  for (const [i, row] of rows.entries()) {
    const domain = row.domain as string;
    const first = domain === start.domain ? start.blobs : 0;
    if (i === HEADS || left <= 0) return { heads: i, damages, sound, next: placeIn(domain, first) };
    try {
      const { manifest } = records.head(domain) as Head;
      left -= manifest.bytes.length;
      const ids = blobsOf(manifest);
      for (let at = first; at < ids.length; at++) {
        if (left <= 0 && at > first) return { heads: i, damages, sound, next: placeIn(domain, at) };
        left -= records.blob(domain, ids[at] as string).length;
      }
      sound.push(domain);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      damages.push(error);
    }
  }
  return { heads: rows.length, damages, sound, next: null };
}

/** The same, and notes what it finds; the damage of a head that is whole again is forgotten. */
export function verifyAndNote(context: DamageContext, records: Records, from: string | null): Verified {
  const { storage } = context;
  if (from === null) noteLostHeads(context);
  const verified = verifyHeads(storage, records, from);
  for (const damage of verified.damages) noteDamage(context, damage);
  for (const domain of verified.sound) clearDamage(storage, domain);
  return verified;
}

/**
 * Gives lost heads a number, and notes them.
 *
 * @param from only heads that are newer than this number
 * @returns whether there were any
 */
export function noteLostHeads(context: DamageContext, from = -1): boolean {
  const lost = giveLostHeads(context.storage, from);
  for (const domain of lost) noteDamage(context, lostHead(domain));
  return lost.length > 0;
}

/**
 * Gives a head to each domain that has a history and none, not even a tombstone: it would be refused as not served. The new
 * head has a number and no generation, so that checks are deferred until a person restores a list.
 */
function giveLostHeads(storage: RegistryStorage, from: number): string[] {
  // Every head is the one generation of its domain that no other has superseded.
  const lost = storage
    .sql(
      `SELECT g.domain FROM generations g WHERE g.superseded IS NULL AND g.number > ?
         AND NOT EXISTS (SELECT 1 FROM heads h WHERE h.domain = g.domain)`,
      from,
    )
    .map((row) => row.domain as string);
  if (lost.length === 0) return lost;
  storage.transaction(() => {
    const number = nextNumber(storage);
    for (const domain of lost)
      storage.sql("INSERT INTO heads (domain, number) VALUES (?, ?)", domain, number);
    setMeta(storage, "roster_due", number);
  });
  return lost;
}

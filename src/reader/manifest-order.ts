/** Which of two manifests of a domain counts. */
import type { Manifest } from "../directory/index.ts";

/**
 * Whether `a` may take the place of `b`: the Registry's go before an export's, then the later log, then number.
 * Exports belong to no log, and may be begun anew: among them it is their time.
 */
export function isNewer(a: Manifest, b: Manifest): boolean {
  if (a.origin !== b.origin) return a.origin === "registry";
  if (a.origin === "kv") return a.time >= b.time;
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.generation >= b.generation;
}

/**
 * The number that a manifest counts for beside what a Registry's log says of its domain; -1 where that log
 * overrules it: an export where the Registry has a head, or a generation of an older log.
 */
export function numberOf(manifest: Manifest, incarnation: number, known: number | undefined): number {
  if (manifest.origin === "kv") return known === undefined ? manifest.generation : -1;
  return manifest.incarnation < incarnation ? -1 : manifest.generation;
}

/** Which of two manifests of a domain is newer. */
import type { Manifest } from "../directory/index.ts";

/**
 * Whether `a` may replace `b`. The Registry's manifests come before an export's, then the later log, then the higher
 * number. Exports belong to no log and may start again, so their time decides.
 */
export function isNewer(a: Manifest, b: Manifest): boolean {
  if (a.origin !== b.origin) return a.origin === "registry";
  if (a.origin === "kv") return a.time >= b.time;
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.generation >= b.generation;
}

/**
 * The number that a manifest counts for in a Registry's log; -1 if that log overrules it: an export of a domain
 * that has a head, or a generation of an older log.
 */
export function numberIn(
  log: { readonly incarnation: number; head(domain: string): number | undefined },
  manifest: Manifest,
): number {
  if (manifest.origin === "kv") return log.head(manifest.domain) === undefined ? manifest.generation : -1;
  return manifest.incarnation < log.incarnation ? -1 : manifest.generation;
}

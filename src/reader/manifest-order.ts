/** Which of two manifests of a domain is newer. */
import type { Manifest } from "../directory/index.ts";

/** Whether `a` may replace `b`: the later log comes first, then the higher number. */
export function isNewer(a: Manifest, b: Manifest): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.generation >= b.generation;
}

/** The number that a manifest counts for in a Registry's log; -1 for a generation of an older log. */
export const numberIn = (log: { readonly incarnation: number }, manifest: Manifest): number =>
  manifest.incarnation < log.incarnation ? -1 : manifest.generation;

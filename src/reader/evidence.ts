/** What the log says about manifests that an answer is based on. */
import type { Manifest } from "../directory/index.ts";
import type { LogView } from "./log-view.ts";

/** Answers confirm numbers, never bytes: only the generation that the Registry named as the newest may refuse. */
export const confirms = (view: LogView, manifest: Manifest, now: number): boolean =>
  view.isFresh(now) &&
  manifest.incarnation === view.incarnation &&
  manifest.generation === view.head(manifest.domain);

/** Whether a manifest is newer than what the log view knows. */
export const isAhead = (view: LogView, manifest: Manifest): boolean =>
  manifest.incarnation > view.incarnation || manifest.generation > (view.head(manifest.domain) ?? -1);

/** Whether the log has passed a manifest of a domain without a head: its tombstone was pruned, or its log was lost. */
export const isPruned = (view: LogView, manifest: Manifest): boolean =>
  view.isComplete &&
  (manifest.incarnation < view.incarnation ||
    (manifest.incarnation === view.incarnation && manifest.generation <= view.asOf));

/**
 * The generation of an answer. For an alias and its target it is the larger number, if both were heads at it.
 * If that is not known, it is the alias's own: a mixture of two states must not become a minGeneration that no state
 * reaches.
 */
export function generationOf(view: LogView, own: Manifest, list: Manifest): number {
  if (own === list || own.generation !== view.head(own.domain)) return own.generation;
  // Numbers of two logs cannot be compared.
  if (own.incarnation !== view.incarnation || list.incarnation !== view.incarnation) return own.generation;
  const listed = Math.min(list.generation, view.head(list.domain) ?? 0);
  // A change that passed through here is newer than what the Registry has told about the alias.
  return listed > view.asOf ? own.generation : Math.max(own.generation, listed);
}

/**
 * Last contact with the Registry: of this reader, or of the Registry's lists when they were made. Unix milliseconds, or
 * minus infinity.
 */
export function lastContact(view: LogView, lists: readonly { readonly manifest: Manifest }[]): number {
  let last = view.lastContact;
  for (const { manifest } of lists) last = Math.max(last, manifest.time);
  return last;
}

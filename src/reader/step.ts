/** The next step of a check: its answer, or what it needs first. */
import type { Position } from "../api/index.ts";
import { type Answer, domainOf, unavailable } from "../directory/index.ts";
import type { BlobKind, CachedManifest } from "./blob-cache.ts";
import type { Check, Query } from "./check.ts";
import { isAhead } from "./evidence.ts";
import type { LogView } from "./log-view.ts";
import type { AskedName } from "./ports.ts";

/** Times that one check may wait for a confirmation. */
export const MAX_CONFIRMATIONS = 3;

/** What a check needs next, or its answer. */
export type Step =
  | { readonly kind: "answer"; readonly answer: Answer; readonly names?: readonly AskedName[] | undefined }
  | { readonly kind: "manifest"; readonly domain: string; readonly need: Position; readonly isCold: boolean }
  | {
      readonly kind: "blob";
      readonly of: CachedManifest;
      readonly table: BlobKind;
      readonly index: number;
    }
  | { readonly kind: "confirmation"; readonly view: LogView };

/** @param names what is to be counted of the recipient's name */
export const done = (settled: Answer, names?: readonly AskedName[]): Step => ({
  kind: "answer",
  answer: settled,
  names,
});

/** No verdict about the recipient, and why. */
export const deferral = (
  query: Query,
  detail: string,
  domain: string | null = null,
  incarnation: number | null = null,
): Answer => unavailable(query.text, detail, domainOf(query.recipient) ?? domain, incarnation);

/**
 * Asks the Registry if that can help: nothing is confirmed, or a manifest is newer than the confirmation. A manifest
 * that is older does not become newer by asking.
 */
export function confirmListsOrDefer(
  check: Check,
  now: number,
  view: LogView,
  lists: readonly CachedManifest[],
): Step {
  return view.isFresh(now) && !lists.some(({ manifest }) => isAhead(view, manifest))
    ? done(deferral(check.query, "the newest list could not be read"))
    : confirmOrDefer(check, view);
}

export const confirmOrDefer = (check: Check, view: LogView): Step =>
  check.confirmations < MAX_CONFIRMATIONS
    ? { kind: "confirmation", view }
    : done(deferral(check.query, "the Registry did not confirm in time"));

/** A domain's mode, changed without its list: a person's word, which needs no publish. */
import type { HeadResult, ModeRequest } from "../../api/index.ts";
import { listedPatterns, NO_STEPS } from "../../directory/index.ts";
import { failure } from "../failure.ts";
import { liveManifest } from "../generations/records.ts";
import { isComparable } from "../names/guard.ts";
import { type CommitContext, commitDrafts } from "./commit.ts";
import { requireHead } from "./validate-commit.ts";

/**
 * Puts the list as it is under a new number, in another mode. The mode that it has already makes no generation. Call it
 * inside a transaction.
 * @param request without `expect`, it applies to whatever list is the head: a step down must not wait for anything
 * @throws RegistryFailure `not_found` or `conflict`
 */
export function changeMode(
  context: CommitContext,
  domain: string,
  { mode, expect, note }: ModeRequest,
  by: string,
): HeadResult {
  const head = context.records.head(domain);
  const manifest = liveManifest(head);
  if (head === null || manifest === null) {
    throw failure("not_found", `${domain} has no list: publish one first`, { domain });
  }
  if (expect !== undefined) requireHead(domain, head, expect);
  if (manifest.mode === mode) return { domain, generation: head.number };
  const key = context.keyFor(domain, manifest.epoch);
  if (!isComparable(manifest, { policy: manifest.policy, keyId: key.id })) {
    const message = `${domain}: the list is made under another key than the edge's: publish it again`;
    throw failure("conflict", message, { domain });
  }
  const known = { compare: () => NO_STEPS, atOnce: new Set<number>() };
  const draft = {
    ...manifest,
    mode,
    patterns: listedPatterns(manifest),
    head,
    key,
    missing: [],
    covered: null,
    known,
  };
  const change = `${manifest.mode} to ${mode}`;
  const words = note == null ? change : `${change}: ${note}`;
  const meta = { action: "mode", by, forced: false, note: words } as const;
  // No name changes, so that the guard has nothing to judge. It may not refuse because the day is full of changes.
  return { domain, generation: commitDrafts(context, [draft], meta, true) };
}

/** What readers count: it is added up, shown with each head, and judged by the brake. */
import type { Question } from "../../api/index.ts";
import type { Mode } from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import { judgeLeavers } from "../commits/brake.ts";
import type { CommitContext } from "../commits/commit.ts";
import { changeAndCopy } from "../kv/kv-pauses.ts";
import { type Counters, MAX_SKETCHES } from "../log/counters.ts";
import type { AskedLeavers } from "../names/leaver-counts.ts";
import type { RegistryPorts } from "../ports.ts";
import type { HeadCounts } from "../protocol.ts";
import { getMeta } from "../storage/meta.ts";

/** Adds up what came with a question. @param counters left out, it is dropped */
export function addCounts(counters: Counters | undefined, { counts = [], asked }: Question): void {
  if (counts.length > 0 || asked !== undefined) counters?.add(counts, asked);
}

/** Adds to heads how many names enforce mode would have refused, where another mode is on. */
export function withRefused<T extends { readonly domain: string; readonly mode: Mode }>(
  counters: Counters | undefined,
  heads: readonly T[],
): (T & Pick<HeadCounts, "would_refuse">)[] {
  const isSoft = ({ mode }: T): boolean => mode !== "enforce";
  const refused = heads.some(isSoft) ? counters?.refused() : undefined;
  const others = (refused?.size ?? 0) < MAX_SKETCHES ? 0 : null;
  return heads.map((head) => ({
    ...head,
    would_refuse: refused !== undefined && isSoft(head) ? (refused.get(head.domain) ?? others) : null,
  }));
}

/** What the brake takes beside what was counted. */
export interface BrakeContext extends CommitContext {
  readonly log: RegistryPorts["log"] | undefined;
  readonly paused: boolean;
  /** Learns why the brake could not hold names. */
  failed(error: unknown): void;
}

/**
 * Holds names that left if they are asked for too often; {@link Counters} says which. Throws nothing: what fails is
 * logged, and tried again with the next names that are counted.
 */
export function brake(context: BrakeContext, domain: string, asked: AskedLeavers): void {
  const { storage, now, paused } = context;
  if (paused || getMeta(storage, "incarnation") === undefined) return;
  const log = (detail: string): void => context.log?.({ event: "brake", domain, detail });
  try {
    const held = changeAndCopy(storage, now, () => judgeLeavers(context, domain, asked));
    if (held !== null)
      log(`${held.asked} of ${held.left} names that left were asked for: names that left are held`);
  } catch (error) {
    context.failed(error);
    log(`names that left cannot be held: ${messageOf(error)}`);
  }
}

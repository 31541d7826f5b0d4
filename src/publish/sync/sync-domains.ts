import { ClientError } from "../../client/index.ts";
import type { Counts } from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import { PublishError } from "../errors.ts";
import type { PlannedList, PublishTarget } from "../plan-list.ts";
import { type PublishPorts, publishLists } from "../workflow.ts";

/** Why a domain was not published. */
export const FAILURE_KINDS = ["input", "guard", "edge", "conflict", "other"] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** What a run of sync did with one domain. */
export type SyncOutcome =
  | {
      readonly kind: "published" | "unchanged";
      readonly generation: number;
      readonly counts: Counts;
      readonly planned: PlannedList;
      /** Names that left and that the brake held when the run began. */
      readonly held: number;
      /** Rows that the sources left out. */
      readonly leftOut: number;
    }
  | { readonly kind: "failed"; readonly failure: FailureKind; readonly error: unknown }
  /** Ended before it was published, because sync was told to stop. */
  | { readonly kind: "stopped" };

export interface SyncedDomain {
  readonly domain: string;
  readonly outcome: SyncOutcome;
  /** Unix milliseconds. */
  readonly started: number;
  readonly durationMs: number;
}

export interface SyncPorts extends Omit<PublishPorts, "confirm"> {
  readonly clock: { now(): number };
  /** Monotonic milliseconds. */
  steady(): number;
}

/** Kept in the history of a generation that sync made. */
export const SYNC_NOTE = "sync";

/**
 * Publishes each target by itself, so that one that fails does not stop the others. Aliases come last, since an alias
 * needs its target. Asks nobody, and never overrides the guard.
 *
 * @param signal ends the run: a list that is being read is dropped, a commit that has begun is finished
 * @param done called after each domain
 */
export async function syncDomains(
  { clock, steady, ...ports }: SyncPorts,
  targets: readonly PublishTarget[],
  signal: AbortSignal,
  done: (synced: SyncedDomain) => void,
): Promise<SyncedDomain[]> {
  const ordered = [...targets].sort((a, b) => Number(a.source === null) - Number(b.source === null));
  const all: SyncedDomain[] = [];
  for (const target of ordered) {
    const started = clock.now();
    const from = steady();
    const outcome = await syncDomain(ports, target, signal);
    const synced = { domain: target.domain, outcome, started, durationMs: steady() - from };
    all.push(synced);
    done(synced);
  }
  return all;
}

async function syncDomain(
  ports: Omit<PublishPorts, "confirm">,
  target: PublishTarget,
  signal: AbortSignal,
): Promise<SyncOutcome> {
  if (signal.aborted) return { kind: "stopped" };
  try {
    const result = await publishLists({ ...ports, confirm: async () => signal.throwIfAborted() }, [target], {
      signal,
      note: SYNC_NOTE,
    });
    const planned = result.planned[0] as PlannedList;
    return {
      kind: result.isPublished ? "published" : "unchanged",
      generation: result.generations[target.domain] as number,
      counts: planned.plan.packed.counts,
      planned,
      held: planned.plan.base?.brake?.held ?? 0,
      leftOut: (planned.plan.sources?.counts ?? []).reduce((sum, { leftOut }) => sum + leftOut, 0),
    };
  } catch (error) {
    if (signal.aborted) return { kind: "stopped" };
    return { kind: "failed", failure: failureOf(error), error };
  }
}

/** The kind of a failure, for counters. */
export function failureOf(error: unknown): FailureKind {
  if (error instanceof PublishError) return error.fault === "protocol" ? "edge" : error.fault;
  if (!(error instanceof ClientError)) return "other";
  return error.code === "guard" || error.code === "conflict" ? error.code : "edge";
}

/** What a failure says, on one line. */
export const failureText = (error: unknown): string => {
  const details = error instanceof PublishError ? error.details : [];
  return [messageOf(error), ...details.slice(0, 3)].join("; ").replaceAll(/\s+/g, " ");
};

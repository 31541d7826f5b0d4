/** Judges a large commit or rollback step by step before its transaction, so that questions and other tokens have their turn meanwhile. */
import { ifWithin, inSteps, type Steps } from "../../directory/index.ts";
import type { Timers } from "../../runtime/ports.ts";
import type { PatchQueue } from "../changes/patch-queue.ts";
import { failure } from "../failure.ts";
import { type Pause, pauseEvery } from "../pause.ts";
import type { Actor, Changed } from "../protocol.ts";
import type { FairQueue } from "./fair-queue.ts";

/**
 * Names of a commit that are looked at before questions get their turn. Lists are compared faster than a plan's names, and a turn
 * takes some ms itself: with a quarter of this, a commit in 10 million names took 23 s instead of 7.
 */
export const COMMITTED_IN_A_ROW = 16_384;
/** A commit of so many names is judged at once, and nobody waits for it. */
const JUDGED_AT_ONCE = 65_536;
/**
 * How long judging a large commit may take, milliseconds: who leaves with it is deferred so much longer, since nobody knows when
 * it becomes the head. If it takes longer, it is judged again, for a longer time.
 */
const WITHIN = [10_000, 60_000, 300_000];

/** What committing takes. */
export interface CommitHost<Context> {
  readonly timers: Timers;
  readonly judgements: FairQueue;
  readonly patches: PatchQueue;
  /** A context of this moment. */
  context(): Context;
  /** Runs a change in a transaction, and sets the alarm that copies it to KV. */
  changed<T>(work: () => T): Changed<T>;
}

/** A commit or a rollback, judged before it is made. */
export interface StepwiseCommit<Context, Judged, Result> {
  /** Its domains. */
  readonly domains: readonly string[];
  /** Octets of names that it holds in memory. */
  readonly octets: number;
  /**
   * Judges it step by step, and stores nothing but blobs. @param within milliseconds after now within which it will be made
   * @throws RegistryFailure
   */
  judge(context: Context, within: number): Steps<Judged>;
  /** @throws RegistryFailure if it cannot be made at this moment, whatever is judged */
  check(context: Context): void;
  /**
   * What was judged, for the same change at this moment: others may have had their turn. @returns null if it has to be judged
   * again @throws RegistryFailure if it cannot be made any more
   */
  again(context: Context, judged: Judged): Judged | null;
  /** Makes it, inside a transaction. @throws RegistryFailure */
  make(context: Context, judged: Judged): Result;
}

/**
 * Makes a change. What is judged is what is made: the transaction begins with the heads that it was judged by, or the change is
 * judged again.
 * @throws RegistryFailure
 */
export async function commitInSteps<Context, Judged, Result>(
  host: CommitHost<Context>,
  change: StepwiseCommit<Context, Judged, Result>,
  by: Actor,
): Promise<Changed<Result>> {
  const { timers, judgements, patches } = host;
  const context = host.context();
  const small = ifWithin(JUDGED_AT_ONCE, change.judge(context, 0));
  // Nobody had a turn since it was begun.
  if (small !== null) return host.changed(() => change.make(context, small.value));
  return patches.hold(change.domains, () =>
    judgements.add("commits", by, change.octets, async () => {
      const pause = pauseEvery(timers, COMMITTED_IN_A_ROW);
      for (const within of WITHIN) {
        await timers.sleep(0);
        const judged = await judgedIn(host, change, within, pause);
        const { result, ...position } = host.changed(() => makeIfSame(host.context(), change, judged));
        if (result !== null) return { result: result.value, ...position };
      }
      throw failure("unavailable", "what the change was judged by changed again and again: try again");
    }),
  );
}

async function judgedIn<Context, Judged>(
  host: CommitHost<Context>,
  change: StepwiseCommit<Context, Judged, unknown>,
  within: number,
  pause: Pause,
): Promise<Judged> {
  const context = host.context();
  try {
    return await inSteps(change.judge(context, within), pause);
  } catch (error) {
    // Uploads and old lists may have expired meanwhile: that is no damage.
    change.check(host.context());
    throw error;
  }
}

function makeIfSame<Context, Judged, Result>(
  context: Context,
  change: StepwiseCommit<Context, Judged, Result>,
  judged: Judged,
): { readonly value: Result } | null {
  const again = change.again(context, judged);
  return again === null ? null : { value: change.make(context, again) };
}

/** Judges a large commit step by step before its transaction, so that questions and other tokens have their turn meanwhile. */
import type { CommitRequest, CommitResult } from "../api/index.ts";
import { ifWithin, inSteps } from "../directory/index.ts";
import type { Timers } from "../runtime/ports.ts";
import {
  type CommitContext,
  checkAgain,
  checkCommit,
  commit,
  type JudgedCommit,
  judgeCommit,
} from "./commit.ts";
import { failure } from "./failure.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { PatchQueue } from "./patch-queue.ts";
import { type Pause, pauseEvery } from "./pause.ts";
import type { Actor, Changed } from "./protocol.ts";

/** Names of a plan or a commit that are looked at before questions get their turn: some 5 ms of work. A turn costs much less. */
export const JUDGED_IN_A_ROW = 4_096;
/** The same of a commit that nobody waits for: it is judged at once. */
const JUDGED_AT_ONCE = 65_536;
/**
 * How long judging a large commit may take, milliseconds: who leaves with it is deferred so much longer, since nobody knows when
 * it becomes the head. If it takes longer, it is judged again, for a longer time.
 */
const WITHIN = [10_000, 60_000, 300_000];

/** What committing takes. */
export interface CommitHost {
  readonly timers: Timers;
  readonly judgements: FairQueue;
  readonly patches: PatchQueue;
  /** A context of this moment. */
  context(): CommitContext;
  /** Runs a change in a transaction, and sets the alarm that copies it to KV. */
  changed<T>(work: () => T): Changed<T>;
}

/**
 * Commits a request. What is judged is what is committed: the transaction begins with the heads that it was judged by, or the
 * commit is judged again.
 * @throws RegistryFailure
 */
export async function commitInSteps(
  host: CommitHost,
  request: CommitRequest,
  by: Actor,
): Promise<Changed<CommitResult>> {
  const { timers, judgements, patches } = host;
  const context = host.context();
  const small = ifWithin(JUDGED_AT_ONCE, judgeCommit(context, request, by, 0));
  // Nobody had a turn since it was begun.
  if (small !== null) return host.changed(() => commit(context, request, by, small.value));
  const domains = request.domains.map(({ domain }) => domain);
  const octets = request.domains.reduce((sum, { covered = "" }) => sum + covered.length, 0);
  return patches.hold(domains, () =>
    judgements.add("commits", by, octets, async () => {
      const pause = pauseEvery(timers, JUDGED_IN_A_ROW);
      for (const within of WITHIN) {
        await timers.sleep(0);
        const judged = await judgedIn(host, request, by, within, pause);
        const { result, ...position } = host.changed(() => commitIfSame(host.context(), request, by, judged));
        if (result !== null) return { result, ...position };
      }
      throw failure("unavailable", "what the commit was judged by changed again and again: try again");
    }),
  );
}

async function judgedIn(
  host: CommitHost,
  request: CommitRequest,
  by: Actor,
  within: number,
  pause: Pause,
): Promise<JudgedCommit> {
  try {
    return await inSteps(judgeCommit(host.context(), request, by, within), pause);
  } catch (error) {
    // Uploads may have expired meanwhile: that is no damage.
    checkCommit(host.context(), request, by);
    throw error;
  }
}

function commitIfSame(
  context: CommitContext,
  request: CommitRequest,
  by: Actor,
  judged: JudgedCommit,
): CommitResult | null {
  const again = checkAgain(context, request, by, judged);
  return again === null ? null : commit(context, request, by, again);
}

/** One request does each piece of work under a lease; the others look at settled state. */

import { within } from "../runtime/timeout.ts";
import type { Isolate } from "./isolate.ts";
import { BudgetSpent, type Scope } from "./scope.ts";

/** How long one operation, and the wait for somebody else's, may take. */
const PATIENCE = 3_000;
/** KV gets half of it, so that the Registry can still be asked. */
export const KV_PATIENCE = 1_500;
/** After this KV is looked at besides, while the Registry goes on being waited for: there is the time for both. */
export const QUESTION_PATIENCE = PATIENCE - KV_PATIENCE;
/** Shortest cacheTtl, seconds: the platform raises it to what KV takes. */
export const SHORT_TTL = 30;
/** A lease whose holder died ends by itself. */
const LEASE = 5_000;
/** Pause after a failure before the same is tried again. */
export const PAUSE = 1_000;
const POLL = 15;

/** A named piece of work, as one who needs it sees it. */
interface Work {
  readonly name: string;
  /** What it reaches for, where that may differ: what was begun for less is not enough. */
  readonly aim?: number;
  /** Whether what it is wanted for is there. */
  isSettled(): boolean;
  run(): Promise<void>;
  /** Called when this request has tried: without an error where it went well. */
  ended?(error?: unknown): void;
}

/**
 * Does a named piece of work once among all requests. Settles when it is done, by this request or another, or when patience ends.
 * Never rejects for a failure of the work, which is remembered for a moment instead.
 */
export async function once(isolate: Isolate, scope: Scope, work: Work): Promise<void> {
  const name = nameWithAim(work);
  const own = scope.underWay.get(name);
  if (own !== undefined) return own;
  const turn = takeTurn(isolate, scope, work);
  scope.underWay.set(name, turn);
  try {
    await turn;
  } finally {
    scope.underWay.delete(name);
  }
}

const nameWithAim = ({ name, aim }: Work): string => (aim === undefined ? name : `${name} for ${aim}`);

async function takeTurn(isolate: Isolate, scope: Scope, work: Work): Promise<void> {
  const { name, aim = 0 } = work;
  const end = Math.min(isolate.now() + PATIENCE, scope.deadline);
  while (!isolate.hasJustFailed(nameWithAim(work))) {
    if (isolate.takeLease(name, LEASE, aim)) return perform(isolate, work);
    const others = isolate.leaseAim(name);
    while (!work.isSettled() && isolate.hasLease(name) && isolate.now() < end)
      await isolate.ports.timers.sleep(POLL);
    if (work.isSettled() || others >= aim || isolate.now() >= end) return;
  }
}

async function perform(isolate: Isolate, work: Work): Promise<void> {
  const name = nameWithAim(work);
  try {
    await withPatience(isolate, work.run);
    isolate.endFailure(name);
    work.ended?.();
  } catch (error) {
    // A spent budget is this request's own trouble, not the work's.
    if (error instanceof BudgetSpent) return;
    isolate.noteFailure(name, PAUSE);
    work.ended?.(error);
  } finally {
    isolate.endLease(work.name);
  }
}

/** Does `work`, and gives up on it after `patience` milliseconds. */
export const withPatience = <T>(isolate: Isolate, work: () => Promise<T>, patience = PATIENCE): Promise<T> =>
  within(isolate.ports.timers, patience, work);

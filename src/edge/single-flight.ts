/** One request does each piece of work under a lease; the others look at settled state. */
import type { Isolate } from "./isolate.ts";
import { within } from "./patience.ts";
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

/**
 * Does a named piece of work once among all requests. Settles when it is done, by whomever, or when patience
 * ends; never rejects for a failure of the work, which is remembered for a moment instead.
 *
 * @param ended called when this request has tried: without an error where it went well
 */
export async function once(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
  work: () => Promise<void>,
  ended: (error?: unknown) => void = () => undefined,
): Promise<void> {
  const own = scope.underWay.get(name);
  if (own !== undefined) return own;
  const turn = takeTurn(isolate, scope, name, isSettled, work, ended);
  scope.underWay.set(name, turn);
  try {
    await turn;
  } finally {
    scope.underWay.delete(name);
  }
}

async function takeTurn(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
  work: () => Promise<void>,
  ended: (error?: unknown) => void,
): Promise<void> {
  if (isolate.hasJustFailed(name)) return;
  if (!isolate.takeLease(name, LEASE)) return waitForOther(isolate, scope, name, isSettled);
  try {
    await withPatience(isolate, work);
    isolate.endFailure(name);
    ended();
  } catch (error) {
    // A spent budget is this request's own trouble, not the work's.
    if (error instanceof BudgetSpent) return;
    isolate.noteFailure(name, PAUSE);
    ended(error);
  } finally {
    isolate.endLease(name);
  }
}

async function waitForOther(
  isolate: Isolate,
  scope: Scope,
  name: string,
  isSettled: () => boolean,
): Promise<void> {
  const end = Math.min(isolate.now() + PATIENCE, scope.deadline);
  while (!isSettled() && isolate.hasLease(name) && isolate.now() < end)
    await isolate.ports.timers.sleep(POLL);
}

/** Does `work`, and gives up on it after `patience` milliseconds. */
export const withPatience = <T>(isolate: Isolate, work: () => Promise<T>, patience = PATIENCE): Promise<T> =>
  within(isolate.ports.timers, patience, work);

/** What an isolate asks its Registry, and what it does where that is not enough. */

import { listsNothing, type QuestionAnswer, type Result } from "../api/log.ts";
import { TookTooLong } from "../runtime/timeout.ts";
import { readRoster } from "./exports.ts";
import { messageOf } from "./faults.ts";
import type { Isolate } from "./isolate.ts";
import { BudgetSpent, type Scope } from "./scope.ts";
import { once, QUESTION_PATIENCE, withPatience } from "./single-flight.ts";

/** A Registry that was not heard of for so long may still live: its heartbeat in KV tells. */
const SILENCE = 3_600_000;

/** Asks a Registry what changed, unless somebody does already; settles when there is an answer or none. */
export function refresh(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const { folds } = confirmation;
  return once(isolate, scope, {
    name: refreshName(partition),
    isSettled: () => confirmation.folds > folds,
    run: () => learn(isolate, scope, partition),
    ended: (error) => {
      isolate.noteRefresh(partition);
      // A Registry that hangs says nothing of its own accord.
      if (error instanceof TookTooLong) noteUnreachable(isolate, partition, error);
    },
  });
}

/** Name under which the refresh of a partition is known. */
export const refreshName = (partition: number): string => `refresh ${partition}`;

/** Whether a Registry was asked in vain a moment ago. */
export const hasJustFailedToRefresh = (isolate: Isolate, partition: number): boolean =>
  isolate.hasJustFailed(refreshName(partition));

/**
 * Asks the Registry first; KV's roster is read only where that is not enough. A Registry of many domains does not list
 * them to everybody who starts: the roster does, and the Registry is asked for the difference. And where no answer
 * comes, the roster holds its last sign of life.
 */
async function learn(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const since = confirmation.position;
  const question = ask(isolate, scope, partition, null, isolate.settings.mostHeads);
  try {
    await withPatience(isolate, () => question, QUESTION_PATIENCE);
  } catch {
    const isSilent = isolate.now() - confirmation.evidence > SILENCE;
    if (confirmation.position === null || isSilent) await seed(isolate, scope, partition);
  }
  // One that failed fails the refresh; one that is late has what is left of its time.
  if (!listsNothing(since, await question)) return;
  if (confirmation.position === null) await seed(isolate, scope, partition);
  await ask(isolate, scope, partition, null);
}

/** Starts from KV's roster, where there is one of use. */
async function seed(isolate: Isolate, scope: Scope, partition: number): Promise<void> {
  try {
    const roster = await readRoster(isolate, scope, String(partition));
    if (roster?.partitions === isolate.settings.partitions) isolate.confirmation(partition).seed(roster);
  } catch (error) {
    // Without a roster the Registry tells everything at once: dearer, never wrong.
    if (error instanceof BudgetSpent) throw error;
  }
}

/**
 * Asks "what changed since N?", and takes the answer in. The window counts from before the question.
 * @param most heads that are to be listed where nothing is known yet; all of them where it is left out
 */
export async function ask(
  isolate: Isolate,
  scope: Scope,
  partition: number,
  want: string | null,
  most?: number,
): Promise<QuestionAnswer> {
  const confirmation = isolate.confirmation(partition);
  const askedAt = isolate.now();
  const since = confirmation.position;
  const limit = since === null && most !== undefined ? { most } : {};
  const counts = isolate.tally.take();
  const question = { since, want, ...limit, ...(counts === undefined ? {} : { counts }) };
  const answer = await answered(isolate, partition, () => scope.registry(partition).question(question));
  confirmation.fold(answer, askedAt, since);
  return answer;
}

const noteUnreachable = (isolate: Isolate, partition: number, error: unknown): void =>
  isolate.faults.note("registry_unreachable", null, `Registry ${partition}: ${messageOf(error)}`);

/** What a Registry answers. @throws where it does not, and the operator is told */
export async function answered<T>(
  isolate: Isolate,
  partition: number,
  call: () => Promise<Result<T>>,
): Promise<T> {
  let result: Result<T>;
  try {
    result = await call();
  } catch (error) {
    if (!(error instanceof BudgetSpent)) noteUnreachable(isolate, partition, error);
    throw error;
  }
  if (result.ok) return result.value;
  const { code, message } = result.error;
  // Before the first publish there is nothing to be told of.
  if (code !== "uninitialised") isolate.faults.note("registry_refuses", null, message);
  throw new Error(message);
}

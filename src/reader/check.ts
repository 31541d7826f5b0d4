/**
 * The check: decides, gets what the decision lacks, and decides anew. Waiting never decides, and deciding never
 * waits, so nothing can change between the last look and the answer.
 */
import { type Answer, domainOf, parseRecipient } from "../directory/index.ts";
import type { Nap } from "../runtime/ports.ts";
import { refreshBehind } from "./background-refresh.ts";
import { blobName } from "./blob-cache.ts";
import { CONFIRMATIONS, decide, deferral, Progress, type Query, type Step } from "./decide.ts";
import { EXPORTS, loadExports } from "./exports.ts";
import { traceOf } from "./faults.ts";
import { loadBlob, loadManifest } from "./fetch.ts";
import type { Isolate } from "./isolate.ts";
import { hasJustFailedToRefresh, refresh } from "./log-client.ts";
import type { Scope } from "./scope.ts";

/** What the SMTP client of one check may have to wait, milliseconds. */
const CHECK_TIME = 4_500;
/** Steps of one check; a check that needs more has met something that never settles. */
const STEPS = 32;
/** Checks of a batch that wait for something at the same time. */
const BATCH_WIDTH = 32;

/**
 * @param floors highest generation that the asker has seen, by domain
 * @param named domains that the asker's token names, null where it covers all
 */
export function queryOf(
  text: string,
  floors?: Readonly<Record<string, number>> | null,
  named: ReadonlySet<string> | null = null,
): Query {
  const recipient = parseRecipient(text);
  const domain = domainOf(recipient);
  const floor = floors && domain !== null && Object.hasOwn(floors, domain) ? (floors[domain] as number) : 0;
  const isNamed = named !== null && domain !== null && named.has(domain);
  return { text, recipient, floor, isNamed };
}

/** Checks one recipient: at once where everything is at hand, else after loading what is lacking. */
export function check(isolate: Isolate, scope: Scope, query: Query): Answer | Promise<Answer> {
  const progress = new Progress();
  const now = isolate.now();
  const step = decide(isolate, query, progress, now);
  if (step.kind !== "answer") return pursue(isolate, scope, query, progress, step);
  isolate.count(step.answer);
  keepConfirmed(isolate, scope, query, now);
  return step.answer;
}

/** Checks many, in order. What the request's budget or time does not reach is `unavailable`. */
export async function checkAll(isolate: Isolate, scope: Scope, queries: readonly Query[]): Promise<Answer[]> {
  const answers: Answer[] = new Array<Answer>(queries.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < queries.length) {
      const index = next++;
      const query = queries[index] as Query;
      try {
        const settled = check(isolate, scope, query);
        answers[index] = settled instanceof Promise ? await settled : settled;
      } catch (error) {
        // One check that breaks must not take the others along.
        isolate.faults.note("internal_error", null, traceOf(error));
        answers[index] = deferral(query, "internal error; no verdict");
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(BATCH_WIDTH, queries.length) }, worker));
  return answers;
}

/** Half-way through the window one request asks anew, after its answer was sent. */
function keepConfirmed(isolate: Isolate, scope: Scope, { recipient }: Query, now: number): void {
  const domain = domainOf(recipient);
  const partition = domain === null ? 0 : isolate.partitionOf(domain);
  if (isolate.confirmation(partition).isDue(now)) refreshBehind(isolate, scope, partition);
}

async function pursue(
  isolate: Isolate,
  scope: Scope,
  query: Query,
  progress: Progress,
  first: Step,
): Promise<Answer> {
  const end = Math.min(scope.deadline, isolate.now() + CHECK_TIME);
  let step = first;
  for (let steps = 0; steps < STEPS && isolate.now() < end; steps++) {
    if (step.kind === "answer") break;
    await untilThen(isolate, scope, end, take(isolate, scope, progress, step));
    step = decide(isolate, query, progress, isolate.now());
  }
  const answer =
    step.kind === "answer" ? step.answer : deferral(query, "the directory could not be read in time");
  isolate.count(answer);
  keepConfirmed(isolate, scope, query, isolate.now());
  return answer;
}

/** Gets what a check lacks. That it was tried is noted before: what takes too long was tried as well. */
function take(
  isolate: Isolate,
  scope: Scope,
  progress: Progress,
  step: Exclude<Step, { readonly kind: "answer" }>,
): Promise<void> {
  switch (step.kind) {
    case "manifest":
      if (step.isCold) isolate.coldLoads--;
      progress.noteLoaded(step.domain, step.need);
      return loadManifest(isolate, scope, step.domain, step.need);
    case "blob":
      progress.noteTried(blobName(step.held, step.table, step.index));
      return loadBlob(isolate, scope, step.held, step.table, step.index);
    case "exports":
      progress.hasSoughtExports = true;
      return lookForExports(isolate, scope, progress);
    case "confirmation":
      return confirm(isolate, scope, step.partition, progress);
  }
}

/** Waits for `work`, but no longer than until `end`; it goes on behind, since others may wait for it. */
async function untilThen(isolate: Isolate, scope: Scope, end: number, work: Promise<void>): Promise<void> {
  const nap: Nap = {};
  const late = isolate.ports.timers.sleep(end - isolate.now(), nap).then(() => "late" as const);
  try {
    if ((await Promise.race([work, late])) === "late") scope.background(work);
  } finally {
    nap.cancel?.();
  }
}

/** Looks for exports, and notes whether it was in vain: what was known before may be used then for a while. */
async function lookForExports(isolate: Isolate, scope: Scope, progress: Progress): Promise<void> {
  await loadExports(isolate, scope);
  progress.hasMissedExports = isolate.hasJustFailed(EXPORTS);
}

/** Waits for an answer of the Registry that is newer than what is known. Without one, nothing is worth waiting for. */
async function confirm(isolate: Isolate, scope: Scope, partition: number, progress: Progress): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const { folds } = confirmation;
  await refresh(isolate, scope, partition);
  // It may have been another's question, from before a change that went through here: that one is asked again.
  progress.confirmations = hasJustFailedToRefresh(isolate, partition)
    ? CONFIRMATIONS
    : progress.confirmations + 1;
  if (confirmation.folds > folds) progress.noteConfirmed();
}

/**
 * The check. Deciding is one synchronous step over settled state: whatever it lacks, it names, and everything is
 * looked at again after the wait. So nothing can change between the last look and the answer.
 */
import {
  type Answer,
  answer,
  lookup,
  type MailboxRecipient,
  type Manifest,
  parseRecipient,
  type Recipient,
  refuses,
  unavailable,
  VERDICTS,
} from "../directory/index.ts";
import type { Confirmation } from "./confirmation.ts";
import type { Isolate } from "./isolate.ts";
import {
  blobName,
  EXPORTS,
  hasJustFailedToRefresh,
  loadBlob,
  loadManifest,
  numberOf,
  refresh,
  refreshBehind,
} from "./loading.ts";
import type { HeldManifest } from "./memory.ts";
import type { Nap } from "./ports.ts";
import type { Scope } from "./scope.ts";

/** Times that one check may wait for a new confirmation. */
const CONFIRMATIONS = 3;
/** What the SMTP client of one check may have to wait, milliseconds. */
const CHECK_TIME = 4_500;
/** Pause after a floor that no answer of the Registry reached. */
const FLOOR_PAUSE = 1_000;
/** Steps of one check; a check that needs more has met something that never settles. */
const STEPS = 32;
/** Checks of a batch that wait for something at the same time. */
const BATCH_WIDTH = 32;

/** One recipient to check. */
export interface Query {
  /** As sent. */
  readonly text: string;
  readonly recipient: Recipient;
  /** Highest generation of the domain that the asker has seen. */
  readonly floor: number;
}

/** What a check needs next, or its answer. */
type Step =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "manifest"; readonly domain: string; readonly need: number; readonly isCold: boolean }
  | {
      readonly kind: "blob";
      readonly held: HeldManifest;
      readonly table: "shards" | "departures";
      readonly index: number;
    }
  | { readonly kind: "confirmation"; readonly partition: number };

/** What a check has tried so far. */
interface Progress {
  /** Domains whose manifest was loaded, well or not, since the last confirmation. */
  readonly loaded: Set<string>;
  readonly blobs: Set<string>;
  hasSoughtFloor: boolean;
  confirmations: number;
}

const noProgress = (): Progress => ({
  loaded: new Set(),
  blobs: new Set(),
  hasSoughtFloor: false,
  confirmations: 0,
});

/** @param floors highest generation that the asker has seen, by domain */
export function queryOf(text: string, floors?: Readonly<Record<string, number>>): Query {
  const recipient = parseRecipient(text);
  const floor =
    floors !== undefined && recipient.kind === "mailbox" && Object.hasOwn(floors, recipient.domain)
      ? (floors[recipient.domain] as number)
      : 0;
  return { text, recipient, floor };
}

/** Checks one recipient: at once where everything is at hand, else after loading what is lacking. */
export function check(isolate: Isolate, scope: Scope, query: Query): Answer | Promise<Answer> {
  const progress = noProgress();
  const step = decide(isolate, query, progress);
  if (step.kind !== "answer") return pursue(isolate, scope, query, progress, step);
  keepConfirmed(isolate, scope, query);
  return step.answer;
}

/** Checks many, in order. What the request's budget or time does not reach is `unavailable`. */
export async function checkAll(isolate: Isolate, scope: Scope, queries: readonly Query[]): Promise<Answer[]> {
  const answers: Answer[] = new Array<Answer>(queries.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < queries.length) {
      const index = next++;
      const settled = check(isolate, scope, queries[index] as Query);
      answers[index] = settled instanceof Promise ? await settled : settled;
    }
  };
  await Promise.all(Array.from({ length: Math.min(BATCH_WIDTH, queries.length) }, worker));
  return answers;
}

/** Half-way through the window one request asks anew, after its answer was sent. */
function keepConfirmed(isolate: Isolate, scope: Scope, { recipient }: Query): void {
  const partition = recipient.kind === "mailbox" ? isolate.partitionOf(recipient.domain) : 0;
  if (isolate.confirmation(partition).isDue(isolate.now())) refreshBehind(isolate, scope, partition);
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
    step = decide(isolate, query, progress);
  }
  keepConfirmed(isolate, scope, query);
  return step.kind === "answer" ? step.answer : deferral(query, "the directory could not be read in time");
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
      progress.loaded.add(step.domain);
      return loadManifest(isolate, scope, step.domain, step.need);
    case "blob":
      progress.blobs.add(blobName(step.held, step.table, step.index));
      return loadBlob(isolate, scope, step.held, step.table, step.index);
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

/** Waits for an answer of the Registry that is newer than what is known. Without one, nothing is worth waiting for. */
async function confirm(isolate: Isolate, scope: Scope, partition: number, progress: Progress): Promise<void> {
  const confirmation = isolate.confirmation(partition);
  const { folds } = confirmation;
  await refresh(isolate, scope, partition);
  // It may have been another's question, from before a change that went through here: that one is asked again.
  progress.confirmations = hasJustFailedToRefresh(isolate, partition)
    ? CONFIRMATIONS
    : progress.confirmations + 1;
  if (confirmation.folds > folds) progress.loaded.clear();
}

/** The whole decision about one recipient, from what is settled at this moment. */
function decide(isolate: Isolate, query: Query, progress: Progress): Step {
  const { recipient, text } = query;
  const lasting = Math.floor(isolate.settings.window / 1000);
  switch (recipient.kind) {
    case "postmaster":
      return done(answer(text, "deliverable", { matched: "postmaster", maxAge: lasting }));
    case "malformed":
      return done(answer(text, "malformed", { maxAge: lasting, detail: recipient.why }));
    case "literal":
      return decideNotServed(isolate, query, progress, 0, null);
    case "mailbox":
      return decideMailbox(isolate, query, recipient, progress);
  }
}

function decideNotServed(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  partition: number,
  domain: string | null,
): Step {
  const confirmation = isolate.confirmation(partition);
  const now = isolate.now();
  if (!confirmation.full || !confirmation.isFresh(now)) return confirmOrDefer(query, progress, partition);
  // The asker has seen it served: only a later point in the log can say that it is not any more.
  if ((confirmation.position?.number ?? 0) < query.floor)
    return seekFloor(isolate, query, progress, partition);
  // An export may serve it all the same, and then it is not for the Registry to say.
  if (!isolate.knowsExports()) {
    return isolate.hasJustFailed(EXPORTS)
      ? done(deferral(query, "KV cannot be read for exported domains", domain))
      : confirmOrDefer(query, progress, partition);
  }
  return done(answer(query.text, "not-served", { domain, ...agesOf(confirmation, now) }));
}

function decideMailbox(
  isolate: Isolate,
  query: Query,
  recipient: MailboxRecipient,
  progress: Progress,
): Step {
  const { domain } = recipient;
  const partition = isolate.partitionOf(domain);
  const confirmation = isolate.confirmation(partition);
  if (confirmation.full && !isServed(isolate, confirmation, domain)) {
    return decideNotServed(isolate, query, progress, partition, domain);
  }
  const own = generationOf(isolate, query, progress, domain, partition);
  if ("kind" in own) return own;
  const { manifest } = own;
  const alias = manifest.deletedUntil === null ? manifest.policy.alias : null;
  const list = alias === null ? own : generationOf(isolate, query, progress, alias, partition);
  if ("kind" in list) return list;
  // Deleted or pointed elsewhere meanwhile: the two do not belong to one state.
  if (list !== own && (list.manifest.deletedUntil !== null || list.manifest.policy.alias !== null)) {
    return confirmListsOrDefer(isolate, query, progress, partition, [own, list]);
  }
  const now = isolate.now();
  const finding = lookup(list.manifest, list, recipient, now);
  if (finding.kind === "needs") {
    const { table, index } = finding;
    return progress.blobs.has(blobName(list, table, index))
      ? done(deferral(query, "a part of the list could not be read", domain))
      : { kind: "blob", held: list, table, index };
  }
  const { verdict, matched } = finding;
  const mode = [own, list].some((held) => held.manifest.mode === "observe") ? "observe" : "enforce";
  const generation = Math.max(manifest.generation, list.manifest.generation);
  if (generation < query.floor) return seekFloor(isolate, query, progress, partition);
  const isConfirmed = [own, list].every((held) => confirms(confirmation, held.manifest, now));
  if (refuses(verdict, mode)) {
    const isFresh =
      isConfirmed || [own, list].every((held) => isFreshExport(isolate, confirmation, held, now));
    if (!isFresh) return confirmListsOrDefer(isolate, query, progress, partition, [own, list]);
  } else if (VERDICTS[verdict].action !== "defer" && !hasEvidence(isolate, partition, manifest, now)) {
    return done(deferral(query, "the Registry has not been heard of for too long", domain));
  }
  for (const held of [own, list]) {
    isolate.noteAnswer(held.manifest.domain, held.manifest.incarnation, held.manifest.generation);
  }
  const isExport = manifest.origin === "kv";
  return done(
    answer(query.text, verdict, {
      matched,
      domain,
      generation,
      origin: manifest.origin,
      mode,
      refusalText: manifest.policy.text,
      ...(isConfirmed || isExport ? agesOf(confirmation, now) : {}),
      ...(isExport
        ? { confirmedAge: null, detail: "refused and accepted from KV alone, as fresh as KV is" }
        : {}),
    }),
  );
}

/** Whether a domain has a list here, as far as is known: the Registry's, or an export's. */
const isServed = (isolate: Isolate, confirmation: Confirmation, domain: string): boolean =>
  confirmation.known(domain) !== undefined || isolate.isExported(domain);

/**
 * The generation of a domain to answer from: the head as far as is known, or, where that cannot be had, an
 * older one that this isolate has not left behind, which may only accept.
 */
function generationOf(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  domain: string,
  partition: number,
): HeldManifest | Step {
  const confirmation = isolate.confirmation(partition);
  const known = confirmation.known(domain);
  const held = isolate.memory.get(domain);
  const { incarnation } = confirmation;
  const now = isolate.now();
  const number = held === undefined ? -1 : numberOf(held.manifest, incarnation, known);
  const low = isolate.answeredFrom(domain, held?.manifest.incarnation ?? incarnation);
  const need = Math.max(low, known ?? 0);
  // The Registry vouches for its own generations; an export is as old as its reading.
  const isVouchedFor = held?.manifest.origin === "registry" && confirmation.isFresh(now);
  const isRecent = held !== undefined && (isVouchedFor || now - held.readAt <= isolate.settings.window);
  if (held !== undefined && number >= need && isRecent) return held;
  if (!progress.loaded.has(domain)) {
    const isCold = held === undefined && !confirmation.full && !isServed(isolate, confirmation, domain);
    // Before a roster is there, a burst of domains that nobody serves must not cost a read each.
    if (isCold && isolate.coldLoads <= 0) return confirmOrDefer(query, progress, partition);
    return { kind: "manifest", domain, need, isCold };
  }
  if (held === undefined || number < low) {
    return confirmListsOrDefer(isolate, query, progress, partition, held === undefined ? [] : [held]);
  }
  return held;
}

/** Answers confirm numbers, never bytes: only the generation that the Registry named as its newest may refuse. */
const confirms = (confirmation: Confirmation, manifest: Manifest, now: number): boolean =>
  manifest.origin === "registry" &&
  confirmation.isFresh(now) &&
  manifest.incarnation === confirmation.incarnation &&
  manifest.generation === confirmation.known(manifest.domain);

/** The stated exception of law 2: the Registry confirms that it has no head, and KV's export is read anew. */
const isFreshExport = (
  isolate: Isolate,
  confirmation: Confirmation,
  held: HeldManifest,
  now: number,
): boolean =>
  held.manifest.origin === "kv" &&
  confirmation.full &&
  confirmation.isFresh(now) &&
  confirmation.known(held.manifest.domain) === undefined &&
  now - held.readAt <= isolate.settings.window;

/** Whether accepting may go on: some sign of the Registry within accept-grace, or not yet looked for one. */
function hasEvidence(isolate: Isolate, partition: number, manifest: Manifest, now: number): boolean {
  if (manifest.origin === "kv" || !isolate.hasTriedRefresh(partition)) return true;
  return now - isolate.confirmation(partition).evidence <= isolate.settings.acceptGrace;
}

/** Ages as they stand in an answer: whole seconds, rounded so that nothing is used a moment too long. */
const agesOf = (confirmation: Confirmation, now: number): { confirmedAge: number; maxAge: number } => ({
  confirmedAge: Math.ceil((now - confirmation.at) / 1000),
  maxAge: Math.floor(confirmation.left(now) / 1000),
});

const done = (settled: Answer): Step => ({ kind: "answer", answer: settled });

const deferral = (query: Query, detail: string, domain: string | null = null): Answer =>
  unavailable(query.text, detail, query.recipient.kind === "mailbox" ? query.recipient.domain : domain);

/** The asker has seen a newer state. One more question, unless one came back without it a moment ago. */
function seekFloor(isolate: Isolate, query: Query, progress: Progress, partition: number): Step {
  const name = `floor ${partition}`;
  if (progress.hasSoughtFloor) isolate.noteFailure(name, FLOOR_PAUSE);
  if (isolate.hasJustFailed(name)) return done(deferral(query, "older than what the asker has seen"));
  progress.hasSoughtFloor = true;
  return { kind: "confirmation", partition };
}

/**
 * Asks the Registry where that can help: nothing is confirmed, or a manifest is ahead of what is. A list that is
 * behind, or an export that could not be read anew, gets no newer by it.
 */
function confirmListsOrDefer(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  partition: number,
  lists: readonly HeldManifest[],
): Step {
  const confirmation = isolate.confirmation(partition);
  const isAhead = ({ manifest }: HeldManifest): boolean =>
    manifest.origin === "registry" &&
    (manifest.incarnation > confirmation.incarnation ||
      manifest.generation > (confirmation.known(manifest.domain) ?? -1));
  return confirmation.isFresh(isolate.now()) && !lists.some(isAhead)
    ? done(deferral(query, "the newest list could not be read"))
    : confirmOrDefer(query, progress, partition);
}

function confirmOrDefer(query: Query, progress: Progress, partition: number): Step {
  return progress.confirmations < CONFIRMATIONS
    ? { kind: "confirmation", partition }
    : done(deferral(query, "the Registry did not confirm in time"));
}

/**
 * Deciding about a recipient: one synchronous step over settled state. Whatever it lacks, it names; nothing here
 * waits, so nothing can change between the last look and the answer.
 */

import type { Position } from "../api/log.ts";
import {
  type Answer,
  actionOf,
  answer,
  type DomainRecipient,
  domainOf,
  lookup,
  type Manifest,
  type Recipient,
  refuses,
  unavailable,
} from "../directory/index.ts";
import { blobName, type HeldManifest } from "./blob-cache.ts";
import { type Isolate, KV_ROSTER_AGE } from "./isolate.ts";
import type { Confirmation } from "./log-view.ts";
import { numberOf } from "./manifest-order.ts";

/** Times that one check may wait for a new confirmation. */
export const CONFIRMATIONS = 3;
/** Pause after a floor that no answer of the Registry reached. */
const FLOOR_PAUSE = 1_000;
/** An accept with no newer sign of the Registry than this asks for one: askers count their own grace from it. */
const OLD_SIGN = 86_400_000;
/** After a question, well or not, no accept that may do without waits for another one for so long. */
const SIGN_PAUSE = 3_600_000;

/** One recipient to check. */
export interface Query {
  /** As sent. */
  readonly text: string;
  readonly recipient: Recipient;
  /** Highest generation of the domain that the asker has seen. */
  readonly floor: number;
  /** Whether the asker's token names the domain: somebody means it to be served here. */
  readonly isNamed: boolean;
}

/** What a check needs next, or its answer. */
export type Step =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "manifest"; readonly domain: string; readonly need: Position; readonly isCold: boolean }
  | {
      readonly kind: "blob";
      readonly held: HeldManifest;
      readonly table: "shards" | "departures";
      readonly index: number;
    }
  | { readonly kind: "exports" }
  | { readonly kind: "confirmation"; readonly partition: number };

/** What a check has tried so far: nothing at first, and nearly always in the end. */
export class Progress {
  /** What a domain's manifest was last loaded for. */
  #loaded: Map<string, Position> | null = null;
  #blobs: Set<string> | null = null;
  hasSoughtFloor = false;
  hasSoughtExports = false;
  hasMissedExports = false;
  confirmations = 0;

  /**
   * Whether a domain's manifest was loaded, well or not, since the last confirmation, for a number of the same log and
   * no lower than the one that is needed: another request may have learnt of a newer head, or of another log, meanwhile.
   */
  hasLoaded(domain: string, need: Position): boolean {
    const last = this.#loaded?.get(domain);
    return last !== undefined && last.incarnation === need.incarnation && last.number >= need.number;
  }

  noteLoaded(domain: string, need: Position): void {
    this.#loaded ??= new Map();
    this.#loaded.set(domain, need);
  }

  hasTried(blob: string): boolean {
    return this.#blobs?.has(blob) ?? false;
  }

  noteTried(blob: string): void {
    this.#blobs ??= new Set();
    this.#blobs.add(blob);
  }

  /** The Registry confirmed anew: manifests are worth loading again. */
  noteConfirmed(): void {
    this.#loaded = null;
  }
}

/**
 * The whole decision about one recipient, from what is settled at this moment.
 * @param now this moment, read after the last wait; Unix milliseconds
 */
export function decide(isolate: Isolate, query: Query, progress: Progress, now: number): Step {
  const { recipient, text } = query;
  const lasting = Math.floor(isolate.settings.window / 1000);
  switch (recipient.kind) {
    case "postmaster":
      return done(answer(text, "deliverable", { matched: "postmaster", maxAge: lasting }));
    case "malformed":
      return done(answer(text, "malformed", { maxAge: lasting, detail: recipient.why }));
    case "literal":
      return decideNotServed(isolate, query, progress, now, 0, null);
    case "mailbox":
    case "unlistable":
      return decideOfDomain(isolate, query, progress, now, recipient);
  }
}

function decideNotServed(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  now: number,
  partition: number,
  domain: string | null,
): Step {
  const confirmation = isolate.confirmation(partition);
  // An export may serve it all the same, and then it is not for the Registry to say.
  const isOld = isolate.exportsAge(now) >= KV_ROSTER_AGE;
  if (isOld && !progress.hasMissedExports) {
    if (!progress.hasSoughtExports) return { kind: "exports" };
    return done(deferral(query, "exported domains could not be looked for in time", domain));
  }
  if (!confirmation.full || !confirmation.isFresh(now)) return confirmOrDefer(query, progress, partition);
  // The asker has seen it served: only a later point in the log can say that it is not any more.
  if ((confirmation.position?.number ?? 0) < query.floor)
    return seekFloor(isolate, query, progress, partition, confirmation.incarnation);
  if (!isolate.knowsExports(now))
    return done(deferral(query, "KV cannot be read for exported domains", domain));
  // Not a word about the domain, not even a tombstone: more likely it is the Registry that is new, or not the one.
  if (query.isNamed) {
    const why = `the Registry has no list of ${domain}, which this token names: publish one`;
    return done(deferral(query, why, domain, confirmation.incarnation));
  }
  return done(
    answer(query.text, "not-served", {
      domain,
      incarnation: confirmation.incarnation,
      confirmedAge: confirmedAge(confirmation, now),
      contactAge: ageInSeconds(confirmation.evidence, now),
      maxAge: maxAge(confirmation, now),
    }),
  );
}

function decideOfDomain(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  now: number,
  recipient: DomainRecipient,
): Step {
  const { domain } = recipient;
  const partition = isolate.partitionOf(domain);
  const confirmation = isolate.confirmation(partition);
  if (confirmation.full && confirmation.known(domain) === undefined) {
    if (!isolate.isExported(domain)) {
      return decideNotServed(isolate, query, progress, now, partition, domain);
    }
    // An export alone serves it, and may have been taken back.
    if (!progress.hasSoughtExports && isolate.exportsAge(now) >= KV_ROSTER_AGE) return { kind: "exports" };
  }
  const own = generationOf(isolate, query, progress, now, domain, partition);
  if ("kind" in own) return own;
  const { manifest } = own;
  const alias = manifest.deletedUntil === null ? manifest.policy.alias : null;
  const list = alias === null ? own : generationOf(isolate, query, progress, now, alias, partition);
  if ("kind" in list) return list;
  // What the answer rests on: everything below has to hold of both.
  const lists = list === own ? [own] : [own, list];
  // Deleted or pointed elsewhere meanwhile: the two do not belong to one state.
  if (list !== own && (list.manifest.deletedUntil !== null || list.manifest.policy.alias !== null)) {
    return confirmListsOrDefer(isolate, query, progress, now, partition, lists);
  }
  const finding = lookup(list.manifest, list, recipient, now);
  if (finding.kind === "needs") {
    const { table, index } = finding;
    return progress.hasTried(blobName(list, table, index))
      ? done(deferral(query, "a part of the list could not be read", domain))
      : { kind: "blob", held: list, table, index };
  }
  const { verdict, matched } = finding;
  const mode = lists.some((held) => held.manifest.mode === "observe") ? "observe" : "enforce";
  const generation = generationAnswered(confirmation, manifest, list.manifest);
  if (generation < query.floor) {
    const newest = Math.max(confirmation.incarnation, manifest.incarnation);
    return seekFloor(isolate, query, progress, partition, newest);
  }
  const isConfirmed = lists.every((held) => confirms(confirmation, held.manifest, now));
  if (refuses(verdict, mode)) {
    const isFresh = isConfirmed || lists.every((held) => isFreshExport(isolate, confirmation, held, now));
    if (!isFresh) return confirmListsOrDefer(isolate, query, progress, now, partition, lists);
  } else if (actionOf(verdict, mode) === "accept" && !isConfirmed) {
    const step = seekSign(isolate, query, progress, now, partition, lists);
    if (step !== null) return step;
  }
  for (const held of lists) {
    // The numbers of exports order nothing: they may be begun anew.
    if (held.manifest.origin === "kv") continue;
    isolate.noteAnswer(held.manifest.domain, held.manifest.incarnation, held.manifest.generation);
  }
  const isExport = manifest.origin === "kv";
  const contact = isExport ? Number.NEGATIVE_INFINITY : lastContact(confirmation, lists);
  return done(
    answer(query.text, verdict, {
      matched,
      domain,
      generation,
      incarnation: isExport ? null : manifest.incarnation,
      origin: manifest.origin,
      mode,
      refusalText: manifest.policy.text,
      confirmedAge: isConfirmed ? confirmedAge(confirmation, now) : null,
      contactAge: ageInSeconds(contact, now),
      maxAge: isConfirmed || isExport ? maxAge(confirmation, now) : 0,
      detail: isExport ? "refused and accepted from KV alone, as fresh as KV is" : faultOf(recipient),
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
  now: number,
  domain: string,
  partition: number,
): HeldManifest | Step {
  const confirmation = isolate.confirmation(partition);
  const known = confirmation.known(domain);
  let held = isolate.memory.get(domain);
  if (held !== undefined && known === undefined && isPruned(confirmation, held.manifest)) {
    isolate.memory.forget(held);
    held = undefined;
  }
  const { incarnation } = confirmation;
  const number = held === undefined ? -1 : numberOf(held.manifest, incarnation, known);
  const low = isolate.answeredFrom(domain, held?.manifest.incarnation ?? incarnation);
  const need = Math.max(low, known ?? 0);
  // The Registry vouches for its own generations; an export is as old as its reading.
  const isVouchedFor = held?.manifest.origin === "registry" && confirmation.isFresh(now);
  const isRecent = held !== undefined && (isVouchedFor || now - held.readAt <= isolate.settings.window);
  if (held !== undefined && number >= need && isRecent) return held;
  const position = { incarnation, number: need };
  if (!progress.hasLoaded(domain, position)) {
    const isCold = held === undefined && !confirmation.full && !isServed(isolate, confirmation, domain);
    // Before a roster is there, a burst of domains that nobody serves must not cost a read each.
    if (isCold && isolate.coldLoads <= 0) return confirmOrDefer(query, progress, partition);
    return { kind: "manifest", domain, need: position, isCold };
  }
  if (held === undefined || number < low) {
    return confirmListsOrDefer(isolate, query, progress, now, partition, held === undefined ? [] : [held]);
  }
  return held;
}

/** Whether the Registry has let go of a list: deleted long ago, it stands in the way of what else serves the domain. */
const isPruned = ({ full, incarnation, position }: Confirmation, manifest: Manifest): boolean =>
  full &&
  manifest.origin === "registry" &&
  manifest.incarnation === incarnation &&
  manifest.generation <= (position?.number ?? -1);

/**
 * The number that an answer stands for: of an alias and its target, the larger one that both were heads at. Where
 * that is not known, the alias's own: a mixture of two states must not become a floor that no state reaches.
 */
function generationAnswered(confirmation: Confirmation, own: Manifest, list: Manifest): number {
  if (own === list || own.generation !== confirmation.known(own.domain)) return own.generation;
  // Numbers of two logs have nothing to do with each other.
  const { incarnation } = confirmation;
  if (own.incarnation !== incarnation || list.incarnation !== incarnation) return own.generation;
  const listed = Math.min(list.generation, confirmation.known(list.domain) ?? 0);
  // A change that went through this isolate is ahead of all that it has been told of the alias.
  return listed > (confirmation.position?.number ?? 0) ? own.generation : Math.max(own.generation, listed);
}

/** Answers confirm numbers, never bytes: only the generation that the Registry named as its newest may refuse. */
const confirms = (confirmation: Confirmation, manifest: Manifest, now: number): boolean =>
  manifest.origin === "registry" &&
  confirmation.isFresh(now) &&
  manifest.incarnation === confirmation.incarnation &&
  manifest.generation === confirmation.known(manifest.domain);

/** The stated exception of law 2: the Registry confirms that it has no head, and KV's export is read anew and listed. */
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
  isolate.knowsExports(now) &&
  now - held.readAt <= isolate.settings.window;

/**
 * An accept that nobody confirms needs some sign of the Registry within accept-grace. Who has not asked for long, or
 * never, asks before it does without.
 * @returns the step that gets a sign, or the deferral; null where there is one
 */
function seekSign(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  now: number,
  partition: number,
  lists: readonly HeldManifest[],
): Step | null {
  const { acceptGrace } = isolate.settings;
  const { manifest, readAt } = lists[0] as HeldManifest;
  // An export is its own evidence, whenever KV shows it.
  if (manifest.origin === "kv") {
    if (now - readAt <= acceptGrace) return null;
    return done(deferral(query, "KV has not shown the export for too long"));
  }
  const silence = now - lastContact(isolate.confirmation(partition), lists);
  const mayDoWithout = silence <= acceptGrace;
  if (mayDoWithout && (silence <= OLD_SIGN || now - isolate.refreshedAt(partition) <= SIGN_PAUSE))
    return null;
  if (progress.confirmations === 0) return { kind: "confirmation", partition };
  return mayDoWithout ? null : done(deferral(query, "the Registry has not been heard of for too long"));
}

/** When the Registry last showed that it lives: to this isolate, or by making the list. Unix milliseconds. */
function lastContact(confirmation: Confirmation, lists: readonly HeldManifest[]): number {
  let last = confirmation.evidence;
  for (const { manifest } of lists) if (manifest.origin === "registry") last = Math.max(last, manifest.time);
  return last;
}

// Ages as they stand in an answer: whole seconds, rounded so that nothing is used a moment too long.
const confirmedAge = (confirmation: Confirmation, now: number): number =>
  Math.ceil((now - confirmation.at) / 1000);
const ageInSeconds = (time: number, now: number): number | null =>
  time === Number.NEGATIVE_INFINITY ? null : Math.max(0, Math.ceil((now - time) / 1000));
const maxAge = (confirmation: Confirmation, now: number): number => Math.floor(confirmation.left(now) / 1000);

const faultOf = (recipient: DomainRecipient): string | undefined =>
  recipient.kind === "unlistable" ? recipient.why : undefined;

const done = (settled: Answer): Step => ({ kind: "answer", answer: settled });

/** No verdict about the recipient, and why. */
export const deferral = (
  query: Query,
  detail: string,
  domain: string | null = null,
  incarnation: number | null = null,
): Answer => {
  return unavailable(query.text, detail, domainOf(query.recipient) ?? domain, incarnation);
};

/** The asker has seen a newer state. One more question, unless one came back without it a moment ago. */
function seekFloor(
  isolate: Isolate,
  query: Query,
  progress: Progress,
  partition: number,
  incarnation: number,
): Step {
  const name = `floor ${partition}`;
  if (progress.hasSoughtFloor) isolate.noteFailure(name, FLOOR_PAUSE);
  // The log is named, since an asker of an older one has to begin again (numbers of two logs do not compare).
  if (isolate.hasJustFailed(name)) {
    return done(deferral(query, "older than what the asker has seen", null, incarnation || null));
  }
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
  now: number,
  partition: number,
  lists: readonly HeldManifest[],
): Step {
  const confirmation = isolate.confirmation(partition);
  const isAhead = ({ manifest }: HeldManifest): boolean =>
    manifest.origin === "registry" &&
    (manifest.incarnation > confirmation.incarnation ||
      manifest.generation > (confirmation.known(manifest.domain) ?? -1));
  return confirmation.isFresh(now) && !lists.some(isAhead)
    ? done(deferral(query, "the newest list could not be read"))
    : confirmOrDefer(query, progress, partition);
}

function confirmOrDefer(query: Query, progress: Progress, partition: number): Step {
  return progress.confirmations < CONFIRMATIONS
    ? { kind: "confirmation", partition }
    : done(deferral(query, "the Registry did not confirm in time"));
}

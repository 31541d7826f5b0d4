import {
  actionOf,
  answer,
  type DomainRecipient,
  FINEST_GRID,
  type Finding,
  groupOf,
  HELD,
  lookup,
  type Mode,
  milderMode,
  needsFreshness,
  VERDICTS,
} from "../directory/index.ts";
import type { Clock } from "../runtime/ports.ts";
import type { AnsweredGenerations } from "./answered-generations.ts";
import { type BlobCache, blobName, type CachedManifest } from "./blob-cache.ts";
import type { Check } from "./check.ts";
import type { ColdReads } from "./cold-reads.ts";
import { confirms, generationOf, isPruned, lastContact } from "./evidence.ts";
import type { LogView } from "./log-view.ts";
import type { LogViews } from "./log-views.ts";
import { numberIn } from "./manifest-order.ts";
import type { AskedName, ReaderPorts } from "./ports.ts";
import type { SingleFlight } from "./single-flight.ts";
import { confirmListsOrDefer, confirmOrDefer, deferral, done, MAX_CONFIRMATIONS, type Step } from "./step.ts";

/** Pause after no answer of the Registry reached the generation that a client has seen. Milliseconds. */
const GENERATION_PAUSE = 1_000;
/** An accept without a later contact than this seeks one: clients count their own grace from it. Milliseconds. */
const OLD_CONTACT = 86_400_000;
/** After a refresh, successful or not, such an accept does not ask again for so long. Milliseconds. */
const CONTACT_PAUSE = 3_600_000;

/** The settled state that decisions read. */
export interface DecisionState {
  readonly views: LogViews;
  readonly cache: BlobCache;
  readonly answered: AnsweredGenerations;
  readonly coldReads: ColdReads;
  readonly flight: SingleFlight;
}

/**
 * Decides about one recipient in one synchronous step over settled state. If something is missing, it says what.
 * Nothing here waits, so nothing can change between the last look and the answer.
 */
export class Decider {
  readonly #state: DecisionState;
  readonly #window: number;
  readonly #acceptGrace: number;
  readonly #registryClock: Clock | undefined;
  readonly #silence: ((contact: number) => number) | undefined;

  /**
   * @param window milliseconds for which a confirmation lasts
   * @param acceptGrace milliseconds for which accepts continue without contact with the Registry
   * @param ports registryClock: by which departures and deletions end; by default the time that a decision is given.
   * silence: since a contact; by default by that time, too
   */
  constructor(
    state: DecisionState,
    window: number,
    acceptGrace: number,
    { registryClock, silence }: Pick<ReaderPorts, "registryClock" | "silence"> = {},
  ) {
    this.#state = state;
    this.#window = window;
    this.#acceptGrace = acceptGrace;
    this.#registryClock = registryClock;
    this.#silence = silence;
  }

  /** @param now this moment, read after the last wait; Unix milliseconds */
  decide(check: Check, now: number): Step {
    const { recipient, text } = check.query;
    switch (recipient.kind) {
      case "postmaster":
        return done(answer(text, "deliverable", { matched: "postmaster", maxAge: seconds(this.#window) }));
      case "malformed":
        return done(answer(text, "malformed", { maxAge: seconds(this.#window), detail: recipient.why }));
      case "literal":
        return this.#notServed(check, now, this.#state.views.at(0), null);
      case "mailbox":
      case "unlistable":
        return this.#inDomain(check, now, recipient);
    }
  }

  #notServed(check: Check, now: number, view: LogView, domain: string | null): Step {
    const { query } = check;
    if (!view.isFresh(now)) return confirmOrDefer(check, view);
    // The client has seen it served: only a later point in the log can say that it no longer is.
    if (view.asOf < query.minGeneration) return this.#seekGeneration(check, view, view.incarnation);
    // The Registry has not even a tombstone of it, so it is more likely a new Registry, or the wrong one.
    if (query.isNamed) {
      const why = `the Registry has no list of ${domain}, which this token names: publish one`;
      return done(deferral(query, why, domain, view.incarnation));
    }
    return done(
      answer(query.text, "not-served", {
        domain,
        incarnation: view.incarnation,
        confirmedAge: confirmedAge(view, now),
        contactAge: ageInSeconds(view.lastContact, now),
        maxAge: seconds(view.remaining(now)),
      }),
    );
  }

  #inDomain(check: Check, now: number, recipient: DomainRecipient): Step {
    const { views, answered } = this.#state;
    const { query } = check;
    const { domain } = recipient;
    const view = views.of(domain);
    if (view.isComplete && view.head(domain) === undefined) return this.#notServed(check, now, view, domain);
    const own = this.#usable(check, now, view, domain);
    if ("kind" in own) return own;
    const alias = own.manifest.deletedUntil === null ? own.manifest.policy.alias : null;
    const list = alias === null ? own : this.#usable(check, now, view, alias);
    if ("kind" in list) return list;
    // What the answer is based on: everything below has to hold for both.
    const lists = list === own ? [own] : [own, list];
    // The target was deleted or became an alias meanwhile: the two do not belong to one state.
    if (list !== own && (list.manifest.deletedUntil !== null || list.manifest.policy.alias !== null)) {
      return confirmListsOrDefer(check, now, view, lists);
    }
    const refusesFrom = Math.max(own.manifest.refusesFrom, list.manifest.refusesFrom);
    const finding = lookup(list.manifest, list, recipient, this.#registryClock?.now() ?? now, refusesFrom);
    if (finding.kind === "needs") {
      const { table, index } = finding;
      if (!check.hasTriedBlob(blobName(list, table, index), list.manifest))
        return { kind: "blob", of: list, table, index };
      // The list may have been replaced so long ago that its parts are deleted.
      return view.isFresh(now) || check.confirmations >= MAX_CONFIRMATIONS
        ? done(deferral(query, "a part of the list could not be read", domain))
        : { kind: "confirmation", view };
    }
    const { verdict, matched, pattern } = finding;
    const mode = milderMode(own.manifest.mode, list.manifest.mode);
    const generation = generationOf(view, own.manifest, list.manifest);
    if (generation < query.minGeneration) {
      return this.#seekGeneration(check, view, Math.max(view.incarnation, own.manifest.incarnation));
    }
    const isConfirmed = lists.every(({ manifest }) => confirms(view, manifest, now));
    if (needsFreshness(verdict, mode)) {
      if (!isConfirmed) return confirmListsOrDefer(check, now, view, lists);
    } else if (actionOf(verdict, mode) === "accept" && !isConfirmed) {
      const step = this.#seekContact(check, now, view, lists);
      if (step !== null) return step;
    }
    for (const { manifest } of lists) answered.note(manifest);
    return done(
      answer(query.text, verdict, {
        matched,
        domain,
        generation,
        incarnation: own.manifest.incarnation,
        mode,
        refusalText: own.manifest.policy.text,
        confirmedAge: isConfirmed ? confirmedAge(view, now) : null,
        contactAge: ageInSeconds(lastContact(view, lists), now),
        maxAge: isConfirmed ? seconds(view.remaining(now)) : 0,
        detail: pattern === undefined ? faultOf(recipient) : `by the pattern ${pattern}`,
      }),
      namesIn(finding, mode, lists),
    );
  }

  /**
   * The generation of a domain to answer from: the newest that is known, or, if that cannot be fetched, an older one
   * that was not yet superseded by an answer of ours; that one may only accept.
   */
  #usable(check: Check, now: number, view: LogView, domain: string): CachedManifest | Step {
    const { cache, answered, coldReads } = this.#state;
    const { incarnation } = view;
    const head = view.head(domain);
    let cached = cache.get(domain);
    if (cached !== undefined && head === undefined && isPruned(view, cached.manifest)) {
      cache.delete(cached);
      cached = undefined;
    }
    const number = cached === undefined ? -1 : numberIn(view, cached.manifest);
    // Of the later log, since numbers of two logs cannot be compared.
    const log = Math.max(incarnation, cached?.manifest.incarnation ?? 0);
    const lowest = answered.lowest(domain, log);
    const need = Math.max(lowest, head ?? 0);
    const isRecent = cached !== undefined && (view.isFresh(now) || now - cached.readAt <= this.#window);
    if (cached !== undefined && number >= need && isRecent) return cached;
    const position = { incarnation, number: need };
    if (!check.hasTriedManifest(domain, position)) {
      const isCold = cached === undefined && !view.isComplete && head === undefined;
      // Before the served domains are known, a burst of invented ones must not cost a read each (law 7).
      if (isCold && coldReads.areUsedUp) return confirmOrDefer(check, view);
      return { kind: "manifest", domain, need: position, isCold };
    }
    if (cached === undefined || number < lowest) {
      return confirmListsOrDefer(check, now, view, []);
    }
    return cached;
  }

  /**
   * An accept that is not confirmed needs contact with the Registry within accept-grace. A reader that has not
   * asked for long asks before it accepts without a recent contact.
   * @returns the step that asks, or the deferral; null if there is a contact
   */
  #seekContact(check: Check, now: number, view: LogView, lists: readonly CachedManifest[]): Step | null {
    const contact = lastContact(view, lists);
    const silence = this.#silence?.(contact) ?? now - contact;
    const isInGrace = silence <= this.#acceptGrace;
    const hasAsked = now - view.refreshedAt <= CONTACT_PAUSE;
    if (isInGrace && (silence <= OLD_CONTACT || hasAsked)) return null;
    if (check.confirmations === 0) return { kind: "confirmation", view };
    return isInGrace
      ? null
      : done(deferral(check.query, "there was no contact with the Registry for too long"));
  }

  /**
   * The client has seen a newer state: asks the Registry once, unless another check came back without it a moment ago.
   * The deferral names the log, since the numbers of two logs cannot be compared and the client may hold an old one.
   */
  #seekGeneration(check: Check, view: LogView, incarnation: number): Step {
    const { flight } = this.#state;
    const name = `generation ${view.partition}`;
    if (check.soughtGeneration) flight.pause(name, GENERATION_PAUSE);
    if (flight.isPaused(name)) {
      return done(deferral(check.query, "older than what the client has seen", null, incarnation || null));
    }
    check.soughtGeneration = true;
    return { kind: "confirmation", view };
  }
}

// Ages in an answer are whole seconds, rounded so that nothing is used a moment too long.
const seconds = (ms: number): number => Math.floor(ms / 1000);
const confirmedAge = (view: LogView, now: number): number => Math.ceil((now - view.askedAt) / 1000);
const ageInSeconds = (time: number, now: number): number => Math.max(0, Math.ceil((now - time) / 1000));

/**
 * What is to be counted of a recipient's name: that it left the list and is asked for, and that a list in a softer mode
 * would refuse it in enforce mode.
 * @param mode the mildest of the lists
 */
function namesIn(
  { verdict, name, until }: Extract<Finding, { kind: "found" }>,
  mode: Mode,
  lists: readonly CachedManifest[],
): readonly AskedName[] | undefined {
  if (name === undefined || (mode === "enforce" && until === undefined)) return undefined;
  const isRefused = VERDICTS[verdict].action === "reject";
  const soft = isRefused ? lists.filter(({ manifest }) => manifest.mode !== "enforce") : [];
  const names = soft.map(({ manifest: { domain } }) => ({ domain, group: 0, name }));
  const { domain, departures } = (lists.at(-1) as CachedManifest).manifest;
  // What is held need not be counted.
  if (until === undefined || until === HELD) return names;
  return [...names, { domain, group: groupOf(until, departures.groups?.grid ?? FINEST_GRID), name }];
}

const faultOf = (recipient: DomainRecipient): string | undefined =>
  recipient.kind === "unlistable" ? recipient.why : undefined;

import type {
  CommitRequest,
  CommitResult,
  HeadResult,
  PatchResult,
  Result,
  RollbackRequest,
} from "../../src/api/index.ts";
import { DEFAULT_POLICY } from "../../src/directory/index.ts";
import type { Changed, MailboxChanges, RegistryApi } from "../../src/registry/protocol.ts";
import { getOrMake } from "../basics/maps.ts";
import { askedFor } from "./asked-leavers.ts";
import { areComparable, type Content, type Generation, isHeld } from "./generation.ts";
import { judgeGuard } from "./guard-judge.ts";
import { History } from "./history.ts";
import { held, leaversOf, released } from "./holding.ts";
import { describe } from "./in-words.ts";
import type { Name } from "./names.ts";
import { isMeant, type Meant, type Published, publishedBy, sameContent } from "./published.ts";
import { afterDeletion, restored } from "./removals.ts";
import { SingleChanges } from "./single-changes.ts";

const DAY = 86_400_000;
const NOTHING = { list: new Map(), patterns: new Map() };
/** Distinct names that were asked for, at least, where the brake takes hold. It estimates, so ten may be fewer. */
const FEWEST = 8;

/** What a publisher meant by a change, told to the model before it is sent. */
export type Intent = ReadonlyMap<string, Meant>;

export interface DirectoryParts {
  /** How long superseded generations are kept, milliseconds. */
  readonly kept: number;
  now(): number;
  violation(assertion: string, words: string): void;
  trace(words: () => string): void;
}

/** The model: every domain's history, made from what publishers meant and from when the Registry took it. */
export class ModelDirectory {
  readonly #parts: DirectoryParts;
  readonly #histories = new Map<string, History>();
  /** What the notes of changes stand for. */
  readonly #intents = new Map<string, Intent>();
  /** Ids of tokens that were revoked, and when the Registry took it. */
  readonly revoked = new Map<string, number>();
  readonly singleChanges: SingleChanges;
  /** Names that were ever asked about, by domain. */
  readonly #asked = new Map<string, Set<string>>();
  #intentCount = 0;
  commits = 0;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
    this.singleChanges = new SingleChanges({
      now: parts.now,
      history: (domain) => this.history(domain),
      violation: parts.violation,
      judgeGuard: (history, before, after, number) =>
        judgeGuard(parts, history, after, number ?? "a single change", before, number),
      made: (history, isNew) => {
        if (isNew) this.commits++;
        parts.trace(
          () => `single changes make ${history.domain} ${history.head?.number}: ${describe(history)}`,
        );
      },
    });
  }

  history(domain: string): History {
    return getOrMake(this.#histories, domain, () => new History(domain, this.#parts.kept));
  }

  /** Heads that an answer about a domain is from: its own, and that of its target. */
  headsBehind(domain: string): Generation[] {
    const { head } = this.history(domain);
    if (head === undefined) return [];
    const alias = head.deletedUntil === null ? head.policy.alias : null;
    const target = alias === null ? undefined : this.history(alias).head;
    return target === undefined ? [head] : [head, target];
  }

  /** Histories of domains that were ever published, in the order in which they were first heard of. */
  get all(): readonly History[] {
    return [...this.#histories.values()].filter(({ generations }) => generations.length > 0);
  }

  /** Notes what a change is to mean. @returns the note by which it is known again */
  intend(intent: Intent): string {
    const note = `change ${++this.#intentCount}`;
    this.#intents.set(note, intent);
    return note;
  }

  /** A call was carried out by a Registry, whether its answer arrives or not. */
  applied(method: keyof RegistryApi, args: readonly unknown[], result: unknown): void {
    if (!(result as Result<unknown>).ok) return;
    const { value } = result as { readonly value: unknown };
    if (method === "patch") {
      const [{ idempotency }] = args as [MailboxChanges];
      this.singleChanges.applied(idempotency?.key as string, (value as Changed<PatchResult>).result);
    } else if (method === "commit") this.#committed(args[0] as CommitRequest, value as Changed<CommitResult>);
    else if (method === "rollback") {
      const [domain, request] = args as [string, RollbackRequest];
      this.#rolledBack(domain, request, value as Changed<HeadResult>);
    } else if (method === "remove")
      this.#removed(args[0] as string, args[1] as number, value as Changed<HeadResult>);
    else if (method === "setMode") {
      const [domain, { mode }] = args as [string, { mode: Content["mode"] }];
      this.#moded(domain, mode, value as Changed<HeadResult>);
    } else if (method === "release") this.#released(args[0] as string, value as Changed<HeadResult>);
    else if (method === "revokeToken") {
      const id = args[0] as string;
      if (!this.revoked.has(id)) this.revoked.set(id, this.#parts.now());
    }
  }

  /** A Registry was lost with all that it had; those whose domains were its know nothing of them. */
  lose(isIts: (domain: string) => boolean): void {
    for (const history of this.#histories.values()) {
      if (isIts(history.domain)) history.lose(this.#parts.now());
    }
  }

  /** A publisher was told that its change holds. */
  acknowledged(domain: string, number: number, content: Meant | null): void {
    const history = this.history(domain);
    const generation = history.at(number);
    const { violation } = this.#parts;
    if (generation === undefined) {
      violation(
        "an acknowledged commit is never lost",
        `${domain} ${number} was acknowledged and never made`,
      );
      return;
    }
    if (content !== null && !isMeant(history, generation, content)) {
      violation(
        "an acknowledged commit is never lost",
        `${domain} ${number} was acknowledged with another content`,
      );
    }
    // The log in which it was made may be lost by the time that the publisher hears of it.
    if (history.current.includes(generation)) history.acknowledged = Math.max(history.acknowledged, number);
  }

  #committed(request: CommitRequest, { result, number }: Changed<CommitResult>): void {
    const { now, violation } = this.#parts;
    const intent = this.#intents.get(request.note ?? "");
    const made = new Map<string, Published>();
    // The guard judges a commit as a whole, against what was before it.
    for (const { domain, patched_kept: kept = "" } of request.domains) {
      const meant = intent?.get(domain);
      if (meant === undefined) throw new Error(`a commit of ${domain} that no publisher intended`);
      this.singleChanges.settle(domain);
      const published = publishedBy(meant, this.history(domain).standing(now()), kept);
      if (published === null) {
        const words = `${domain} ${number} keeps other names than were changed`;
        violation("a publish keeps single changes", words);
        continue;
      }
      made.set(domain, published);
      if (!result.unchanged.includes(domain) && request.force !== true)
        judgeGuard(this.#parts, this.history(domain), published.content, number);
    }
    for (const { domain, expect } of request.domains) {
      const its = made.get(domain);
      if (its === undefined) continue;
      const { content, published } = its;
      const history = this.history(domain);
      const { head } = history;
      if (result.unchanged.includes(domain)) {
        if (head === undefined || !sameContent(head, content)) {
          violation("an answer is whole", `${domain}: a change was taken for none`);
        } else head.published = [...head.published, published];
        continue;
      }
      const present = head?.number ?? null;
      if (expect !== present && !(expect === null && head?.deletedUntil !== null)) {
        violation(
          "precondition",
          `${domain} ${number} was planned against ${expect} and followed ${present}`,
        );
      }
      this.#requireGrowth(domain, number);
      this.#requireHeldKept(history, content, number);
      const targets = this.#targetsOf(history, content);
      history.succeed(number, content, now(), {
        isForced: request.force === true,
        published,
        targets,
      });
      this.commits++;
      this.#parts.trace(() => `the Registry takes ${domain} ${number}: ${describe(history)}`);
    }
  }

  #rolledBack(domain: string, { to, patched }: RollbackRequest, { number }: Changed<HeadResult>): void {
    this.singleChanges.settle(domain);
    const history = this.history(domain);
    const target = history.at(to);
    if (target === undefined) throw new Error(`a rollback of ${domain} to ${to}, which never was`);
    const drops = patched === "drop";
    const { content, published } = restored(history, target, number, drops, this.#parts.violation);
    this.#requireGrowth(domain, number);
    this.#requireHeldKept(history, target, number);
    const targets = this.#targetsOf(history, content);
    history.succeed(number, content, this.#parts.now(), { isForced: true, targets, published });
    this.commits++;
    this.#parts.trace(() => `the Registry rolls ${domain} back to ${to} as ${number}: ${describe(history)}`);
  }

  /** The last lists of the domains that a domain was an alias of, and becomes an alias of. */
  #targetsOf(history: History, { policy }: Content): Generation[] {
    const now = this.#parts.now();
    return [history.lastList(now)?.policy.alias, policy.alias].flatMap((alias) => {
      const list = alias == null ? undefined : this.history(alias).lastList(now);
      return list === undefined ? [] : [list];
    });
  }

  #removed(domain: string, expect: number, { number }: Changed<HeadResult>): void {
    this.singleChanges.settle(domain);
    const history = this.history(domain);
    const { head } = history;
    if (head?.number !== expect) {
      this.#parts.violation("precondition", `the deletion ${number} of ${domain} followed ${head?.number}`);
    }
    this.#requireGrowth(domain, number);
    const alias = this.all.find(({ head: it }) => it?.deletedUntil === null && it.policy.alias === domain);
    if (alias !== undefined)
      this.#parts.violation(
        "an alias has a target",
        `${domain} is deleted, and ${alias.domain} is its alias`,
      );
    const { policy = DEFAULT_POLICY, mode = "enforce", epoch = 1 } = head ?? {};
    const now = this.#parts.now();
    const made = { deletedUntil: now + DAY, isForced: true, published: afterDeletion(head) };
    history.succeed(number, { ...NOTHING, policy, mode, epoch }, now, made);
    this.commits++;
    this.#parts.trace(() => `the Registry deletes ${domain} as ${number}`);
  }

  noteAsked(domain: string, { base }: Name): void {
    getOrMake(this.#asked, domain, () => new Set()).add(base);
  }

  /** The brake holds the names of a domain that left recently. Enough of them must have been asked for. */
  braked(domain: string, number: number): void {
    const history = this.history(domain);
    const now = this.#parts.now();
    const { head } = history;
    // An alias is answered from the same list.
    const lists = [...this.#asked].filter(([it]) => it === domain || this.history(it).targets.has(domain));
    const asked = lists.flatMap(([, names]) => [...names]);
    const found = head === undefined ? 0 : askedFor(history, leaversOf(head, now), asked);
    if (found < FEWEST)
      this.#parts.violation(
        "the brake has a reason",
        `${domain} ${number} holds names, and ${found} were asked for`,
      );
    this.#requireGrowth(domain, number);
    if (head === undefined) return;
    const deferred = held(head, now);
    history.keep(number, now, deferred);
    this.#parts.trace(() => `the brake holds ${deferred.departures.size} names of ${domain} as ${number}`);
  }

  /** A person changed the mode, and nothing else. */
  #moded(domain: string, mode: Content["mode"], { result }: Changed<HeadResult>): void {
    const history = this.history(domain);
    if (history.head?.mode === mode) return;
    this.#requireGrowth(domain, result.generation);
    history.keep(result.generation, this.#parts.now(), { mode });
    this.#parts.trace(() => `a person puts ${domain} into ${mode} mode as ${result.generation}`);
  }

  /** A person said that the held names left. */
  #released(domain: string, { number }: Changed<HeadResult>): void {
    const history = this.history(domain);
    this.#requireGrowth(domain, number);
    history.keep(number, this.#parts.now(), released(history.head as Generation));
    this.#parts.trace(() => `the names of ${domain} that were held are released as ${number}`);
  }

  /** Names that are held must not get lost to a list with which they cannot be compared, or to an alias. */
  #requireHeldKept({ domain, head }: History, content: Content, number: number): void {
    if (head === undefined || head.deletedUntil !== null || !isHeld(head)) return;
    if (areComparable(head, content) && content.policy.alias === null) return;
    this.#parts.violation("held names stay deferred", `${domain} ${number} drops the names that are held`);
  }

  #requireGrowth(domain: string, number: number): void {
    const head = this.history(domain).head?.number ?? 0;
    if (number <= head) this.#parts.violation("numbers only grow", `${domain} ${number} followed ${head}`);
  }
}

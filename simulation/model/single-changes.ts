/** Single changes of mailboxes in the model: each is made once and whole, by the names that its publisher meant. */
import type { PatchResult } from "../../src/api/index.ts";
import type { EntryState } from "../../src/directory/index.ts";
import { getOrMake } from "../basics/maps.ts";
import { type Content, type Generation, isAccepted, type PublishedList } from "./generation.ts";
import type { History } from "./history.ts";
import { removalsAfterChange } from "./removals.ts";

/** What a publisher means by one request. */
export interface SingleChange {
  readonly domain: string;
  /** New states by name; null: the name is removed. */
  readonly states: ReadonlyMap<string, EntryState | null>;
  /** Whether names that are refused get no departure grace. */
  readonly now: boolean;
  /** Whether it overrides the guard. */
  readonly forces: boolean;
}

/** A time at which a change was made. */
interface Made {
  readonly log: number;
  readonly at: number;
  readonly result: PatchResult;
}

/** Changes of a domain that were made at one moment: they may be one generation. */
interface Batch {
  readonly at: number;
  readonly log: number;
  readonly number: number;
  /** What they change together: the guard compares what comes of them with it. */
  readonly base: Content;
  readonly list: ReadonlyMap<string, EntryState>;
  /** Names that were changed, and whether the last change of each ended its grace. */
  readonly atOnce: ReadonlyMap<string, boolean>;
  /** Whether they are a generation of their own: if not, they changed nothing, or undid each other. */
  readonly isMade: boolean;
}

export interface SingleChangesParts {
  now(): number;
  history(domain: string): History;
  violation(assertion: string, words: string): void;
  /**
   * Judges what a change makes of a domain, before it is taken.
   * @param number of a generation of the same batch, which is no list to protect
   */
  judgeGuard(history: History, before: Content, after: Content, number: number | null): void;
  /** A generation was made, or more was added to it. */
  made(history: History, isNew: boolean): void;
}

/** For so long a Registry knows a change by its key again. */
const KEY_LIFE = 86_400_000;
const ONCE = "a single change is made once";
const WHOLE = "a single change is made as it was meant";

export class SingleChanges {
  readonly #parts: SingleChangesParts;
  readonly #made = new Map<string, Made[]>();
  readonly #meant = new Map<string, SingleChange>();
  readonly #batches = new Map<string, Batch>();

  constructor(parts: SingleChangesParts) {
    this.#parts = parts;
  }

  /** Notes what a request is to mean. @returns the key by which it is known again */
  intend(change: SingleChange): string {
    const key = `change-${this.#meant.size + 1}`;
    this.#meant.set(key, change);
    return key;
  }

  /** A Registry took a request, or says that it had. */
  applied(key: string, result: PatchResult): void {
    const change = this.#meant.get(key);
    if (change === undefined) throw new Error(`a single change ${key} that no publisher intended`);
    const { now, violation } = this.#parts;
    const history = this.#parts.history(change.domain);
    const { head } = history;
    if (head === undefined || head.deletedUntil !== null || head.policy.alias !== null) {
      violation(WHOLE, `${change.domain}: ${key} was taken, and there is no list`);
      return;
    }
    const made = getOrMake(this.#made, key, (): Made[] => []);
    const earlier = made.findLast(({ log, at }) => log === head.log && now() - at < KEY_LIFE);
    if (earlier === undefined) {
      made.push({ log: head.log, at: now(), result });
      this.#apply(history, head, change, key, result);
    } else if (!isSameResult(earlier.result, result)) {
      const words = `${key} made ${JSON.stringify(earlier.result)}, and then ${JSON.stringify(result)}`;
      violation(ONCE, `${change.domain}: ${words}`);
    }
  }

  /** A publisher was told that its request is done. */
  acknowledged(key: string, { domain, generation }: PatchResult): void {
    const made = this.#made.get(key)?.findLast(({ result }) => result.generation === generation);
    const history = this.#parts.history(domain);
    if (made === undefined) {
      const words = `${domain}: ${key} was acknowledged as ${generation}, and never made`;
      this.#parts.violation("an acknowledged commit is never lost", words);
    } else if (made.log === history.log) {
      history.acknowledged = Math.max(history.acknowledged, generation);
    }
  }

  /** Something else happens to a domain, or to all: what came of its last batch is final. */
  settle(domain: string | null = null): void {
    const { now, history, violation } = this.#parts;
    for (const [of, batch] of this.#batches) {
      if ((domain !== null && of !== domain) || batch.at === now()) continue;
      this.#batches.delete(of);
      const made = history(of)
        .named(batch.number)
        .find(({ log }) => log === batch.log);
      if (made === undefined) continue;
      if (!isSameList(made.list, batch.list))
        violation(WHOLE, `${of} ${batch.number} was said to have single changes that it lacks`);
      if (!batch.isMade && endsGrace(made, batch))
        violation(WHOLE, `${of} ${batch.number} still defers whom a single change refuses at once`);
    }
  }

  #apply(history: History, head: Generation, change: SingleChange, key: string, result: PatchResult): void {
    const { now, violation, judgeGuard, made } = this.#parts;
    const { domain, log, patterns, policy, mode, epoch } = head;
    const { generation: number } = result;
    this.settle(domain);
    const open = this.#batches.get(domain);
    const earlier = open !== undefined && open.number === number && open.log === log ? open : null;
    const list = new Map(earlier?.list ?? head.list);
    const atOnce = new Map(earlier?.atOnce);
    const counts = { added: 0, removed: 0, changed: 0 };
    const published = head.published.at(-1) as PublishedList;
    let { removals } = published;
    for (const [name, state] of change.states) {
      const was = list.get(name);
      const made = { was: was ?? null, now: change.now, number, under: head };
      removals = removalsAfterChange(removals, name, state, made);
      if (state === null) list.delete(name);
      else list.set(name, state);
      atOnce.set(name, !isAccepted(state ?? undefined) && (change.now || atOnce.get(name) === true));
      if ((was ?? null) === state) continue;
      counts[was === undefined ? "added" : state === null ? "removed" : "changed"]++;
    }
    if (!isSameResult({ ...result, ...counts }, result)) {
      const words = `${key} made ${JSON.stringify(result)}, not ${JSON.stringify(counts)}`;
      violation(WHOLE, `${domain} ${number}: ${words}`);
    }
    const content = { list, patterns, policy, mode, epoch };
    const base = earlier?.base ?? head;
    const isOfBatch = earlier?.isMade ?? false;
    if (!change.forces) judgeGuard(history, base, content, isOfBatch ? number : null);
    const isMade = isOfBatch || number !== head.number;
    this.#batches.set(domain, { at: now(), log, number, base, list, atOnce, isMade });
    const after = { ...published, removals };
    if (!isMade) {
      if (removals !== published.removals) head.published = [...head.published, after];
      return;
    }
    if (number < head.number) violation("numbers only grow", `${domain} ${number} followed ${head.number}`);
    if (isOfBatch) history.withdraw();
    const ended = new Set([...atOnce].filter(([, isEnded]) => isEnded).map(([name]) => name));
    history.succeed(number, content, now(), {
      isForced: change.forces,
      ended,
      published: after,
      isPatch: true,
    });
    made(history, !isOfBatch);
  }
}

/** Whether a name is deferred that a change refuses at once. */
const endsGrace = ({ departures }: Generation, { atOnce, at }: Batch): boolean =>
  [...atOnce].some(([name, isEnded]) => isEnded && (departures.get(name) ?? 0) * 1000 > at);

const isSameResult = (a: PatchResult, b: PatchResult): boolean =>
  a.generation === b.generation && a.added === b.added && a.removed === b.removed && a.changed === b.changed;

const isSameList = (a: ReadonlyMap<string, EntryState>, b: ReadonlyMap<string, EntryState>): boolean =>
  a.size === b.size && [...a].every(([name, state]) => b.get(name) === state);

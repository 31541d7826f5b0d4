/** The names that a batch of single changes changes: each change on top of those before it, and taken back if it is refused. */
import type { PatchResult } from "../../api/index.ts";
import {
  type Compare,
  type Coverage,
  isAcceptedState,
  isLost,
  MAX_SHARD_ENTRIES,
  NO_COVERAGE,
  NO_STEPS,
  type PatchedName,
  type SingleChange,
  shardOf,
  tailOf,
  UNLISTED,
  visitCovered,
} from "../../directory/index.ts";
import { failure } from "../failure.ts";
import type { MailboxChanges } from "../protocol.ts";

/** A name that a batch changes. */
export interface NetChange extends PatchedName {
  readonly shard: number;
  readonly tail: number;
  /** Whether it is made with `--now`, so that it gets no departure grace. */
  readonly atOnce: boolean;
  /** Whether a change of the batch accepted it, also if a later one does not: that lifts what removed it at once before. */
  readonly lifted: boolean;
}

/** What the head has of a name of a batch. */
export interface Listed {
  readonly state: number;
  /** Names in its shard. */
  readonly inShard: number;
}

/** A place in the list: a shard and a tail within it. */
export const placeOf = (shard: number, tail: number): string => `${shard} ${tail}`;

/** The state of a name that was looked up in a list of these shard bits. */
export const stateIn = (listed: ReadonlyMap<string, Listed>, fingerprint: Uint8Array, bits: number): number =>
  (listed.get(placeOf(shardOf(fingerprint, bits), tailOf(fingerprint))) as Listed).state;

/** What became of one change. */
interface Applied {
  readonly counts: Pick<PatchResult, "added" | "removed" | "changed">;
  /** Whether the grace of a name begins that the head accepts. */
  readonly defers: boolean;
  /** Takes it back; only the newest can be. */
  undo(): void;
}

export class NetChanges {
  readonly #domain: string;
  readonly #bits: number;
  readonly #listed: ReadonlyMap<string, Listed>;
  readonly #coverage: Coverage;
  readonly #names = new Map<string, NetChange>();
  /** Names in each shard that was touched. */
  readonly #sizes = new Map<number, number>();

  /**
   * @param listed what the head has of every name that will be changed, by its place
   * @param coverage what it says of names that it does not list
   */
  constructor(
    domain: string,
    bits: number,
    listed: ReadonlyMap<string, Listed>,
    coverage: Coverage = NO_COVERAGE,
  ) {
    this.#coverage = coverage;
    this.#domain = domain;
    this.#bits = bits;
    this.#listed = listed;
  }

  /** Every name that was named, also if it is again as it was. */
  get all(): readonly NetChange[] {
    return [...this.#names.values()];
  }

  get changed(): NetChange[] {
    return this.all.filter(({ was, state }) => was !== state);
  }

  /**
   * @returns positions of names to remove that are not in the list after the changes so far
   * @throws RegistryFailure `not_listed` if a name is not in it, and must be; `already_listed` if one has another state there,
   * and must not
   */
  requireListed({
    changes,
    mustBeListed = [],
    mustBeNew = [],
  }: Pick<MailboxChanges, "changes" | "mustBeListed" | "mustBeNew">): number[] {
    const states = changes.map(([fingerprint]) => {
      const place = placeOf(shardOf(fingerprint, this.#bits), tailOf(fingerprint));
      return this.#names.get(place)?.state ?? (this.#listed.get(place) as Listed).state;
    });
    const missing = mustBeListed.filter((i) => states[i] === UNLISTED);
    const domain = this.#domain;
    if (missing.length > 0) {
      const message = `${domain}: ${mailboxesAre(missing)} not in the list; nothing was changed`;
      throw failure("not_listed", message, { domain, unlisted: missing });
    }
    const others = mustBeNew.filter((i) => states[i] !== UNLISTED && states[i] !== changes[i]?.[1]);
    if (others.length > 0) {
      const message = `${domain}: ${mailboxesAre(others)} in the list already, in another state; nothing was changed`;
      throw failure("already_listed", message, { domain, listed: others });
    }
    return changes.flatMap(([, state], i) => (state === UNLISTED && states[i] === UNLISTED ? [i] : []));
  }

  readonly compare: Compare = (visit) => {
    for (const { tail, was, state } of this.changed) visit(tail, was, state);
    return NO_STEPS;
  };

  /**
   * Applies a change after those before it. It costs what it changes, however many were applied before.
   * @throws RegistryFailure `repack_needed`; the change is taken back then
   */
  apply(changes: readonly SingleChange[], atOnce: boolean): Applied {
    const counts = { added: 0, removed: 0, changed: 0 };
    let defers = false;
    const before: [place: string, change: NetChange | undefined][] = [];
    const undo = (): void => {
      for (const [place, change] of before.reverse()) this.#put(place, change);
    };
    for (const [fingerprint, state] of changes) {
      const shard = shardOf(fingerprint, this.#bits);
      const tail = tailOf(fingerprint);
      const place = placeOf(shard, tail);
      const { state: was } = this.#listed.get(place) as Listed;
      const present = this.#names.get(place);
      before.push([place, present]);
      // One that was refused at once before is not deferred because it is refused again.
      const isAtOnce = !isAcceptedState(state) && (atOnce || present?.atOnce === true);
      if (!isAtOnce)
        visitCovered((_, from, to) => {
          defers ||= isLost(from, to);
        }, this.#coverage)(tail, was, state);
      const lifted = isAcceptedState(state) || present?.lifted === true;
      this.#put(place, { fingerprint, was, state, shard, tail, atOnce: isAtOnce, lifted });
      const from = present?.state ?? was;
      if (from !== state) counts[from === UNLISTED ? "added" : state === UNLISTED ? "removed" : "changed"]++;
    }
    const isFull = before.some(([place]) => this.#sizeAt(place) > MAX_SHARD_ENTRIES);
    if (!isFull || counts.added === 0) return { counts, defers, undo };
    undo();
    throw failure(
      "repack_needed",
      `${this.#domain}: a shard has all ${MAX_SHARD_ENTRIES} names that it can hold; publish the list, which makes more shards`,
      { domain: this.#domain },
    );
  }

  #put(place: string, change: NetChange | undefined): void {
    const { state: was, inShard } = this.#listed.get(place) as Listed;
    const present = this.#names.get(place)?.state ?? was;
    const gained = Number((change?.state ?? was) !== UNLISTED) - Number(present !== UNLISTED);
    const shard = shardIn(place);
    this.#sizes.set(shard, (this.#sizes.get(shard) ?? inShard) + gained);
    if (change === undefined) this.#names.delete(place);
    else this.#names.set(place, change);
  }

  #sizeAt(place: string): number {
    return this.#sizes.get(shardIn(place)) as number;
  }
}

const shardIn = (place: string): number => Number.parseInt(place, 10);

const mailboxesAre = (which: readonly number[]): string =>
  which.length === 1 ? "a mailbox is" : `${which.length} mailboxes are`;

import type { PatchResult, Result } from "../../api/index.ts";
import type { Clock, Timers } from "../../runtime/ports.ts";
import type { Actor, Changed, MailboxChanges } from "../protocol.ts";

/** How long a change waits for others that it can be committed with, milliseconds. */
const GATHER = 10;
/** Changes that may wait, of all and of one token, and names that one commit changes, at most. */
const MAX_WAITING = 5_000;
const MAX_WAITING_OF_ONE = 1_000;
const MAX_NAMES = 1_000;
/** How long a change waits at most for a publish that changes before it made too late, milliseconds. */
const PUBLISH_TURN = 1_000;
/** How long a change waits at most for a large commit of its domain that is being judged, milliseconds. */
const JUDGED_TURN = 10_000;

type Answer = Result<Changed<PatchResult>>;

/** Makes changes of one domain by one actor together. @returns an answer for each, in order */
export type PatchTogether = (patches: readonly MailboxChanges[], by: Actor) => Promise<readonly Answer[]>;

interface Waiting {
  readonly patch: MailboxChanges;
  readonly by: Actor;
  readonly make: PatchTogether;
  /** Unix milliseconds. */
  readonly since: number;
  answered(answer: Answer): void;
  failed(error: unknown): void;
}

/**
 * Makes single changes one after the other, those that wait together in one commit: each commit writes a manifest,
 * which is large for a large list. A publish that came too late because of them has the next turn: the changes of its
 * domains wait for it, each for {@link PUBLISH_TURN} at most, and for {@link JUDGED_TURN} while it is judged. An object that is replaced loses what waits; the callers then
 * learn that their call failed.
 */
export class PatchQueue {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #waiting: Waiting[] = [];
  /** Domains whose publish has the next turn, and until when. */
  readonly #publishes = new Map<string, number>();
  /** Domains of commits that are being judged, each as often as it is. */
  readonly #judged: string[] = [];
  #isRunning = false;
  /** The domain that had its turn last. */
  #last: string | null = null;

  constructor({ clock, timers }: { readonly clock: Clock; readonly timers: Timers }) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Gives a publish of these domains the next turn, for a limited time. */
  giveTurn(domains: readonly string[]): void {
    const now = this.#clock.now();
    for (const [domain, until] of this.#publishes) if (until <= now) this.#publishes.delete(domain);
    for (const domain of domains) this.#publishes.set(domain, now + PUBLISH_TURN);
  }

  /** A publish of these domains had its turn. */
  endTurn(domains: readonly string[]): void {
    for (const domain of domains) this.#publishes.delete(domain);
  }

  /** Judges and makes a commit of these domains: their changes wait for it, for a limited time. */
  async hold<T>(domains: readonly string[], work: () => Promise<T>): Promise<T> {
    this.#judged.push(...domains);
    try {
      return await work();
    } finally {
      for (const domain of domains) this.#judged.splice(this.#judged.indexOf(domain), 1);
    }
  }

  add(patch: MailboxChanges, by: Actor, make: PatchTogether): Promise<Answer> {
    const own = this.#waiting.filter((each) => each.by === by).length;
    const isFull = this.#waiting.length >= MAX_WAITING;
    if (isFull || own >= MAX_WAITING_OF_ONE) {
      const which = isFull ? `${MAX_WAITING} changes` : `${MAX_WAITING_OF_ONE} changes of this token`;
      const message = `${which} are waiting: try again later`;
      return Promise.resolve({ ok: false, error: { code: "unavailable", message } });
    }
    return new Promise((answered, failed) => {
      this.#waiting.push({ patch, by, make, since: this.#clock.now(), answered, failed });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await this.#timers.sleep(GATHER).catch(() => this.#publishes.clear());
      const next = this.#waiting.filter((each) => this.#isNext(each));
      // Another domain has its turn first, so that many changes of one do not keep the others waiting.
      const first = next.find(({ patch }) => patch.domain !== this.#last) ?? next[0];
      if (first === undefined) continue;
      this.#last = first.patch.domain;
      const batch = this.#takeWith(first);
      const { by, make } = first;
      try {
        const answers = await make(
          batch.map(({ patch }) => patch),
          by,
        );
        batch.forEach(({ answered }, i) => {
          answered(answers[i] as Answer);
        });
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.#isRunning = false;
  }

  /** Whether a change need not wait for a publish. */
  #isNext({ patch: { domain }, since }: Waiting): boolean {
    const now = this.#clock.now();
    const turn = Math.min(this.#publishes.get(domain) ?? 0, since + PUBLISH_TURN);
    const until = this.#judged.includes(domain) ? since + JUDGED_TURN : turn;
    // A clock that was set back must not make the turn longer.
    return now >= until || now < since;
  }

  /** Takes what can be committed together with the first one of a domain, in the order in which it came. */
  #takeWith(first: Waiting): Waiting[] {
    const { domain } = first.patch;
    let names = 0;
    const batch: Waiting[] = [];
    for (const each of this.#waiting) {
      if (each.patch.domain !== domain) continue;
      names += each.patch.changes.length;
      const fits =
        each.by === first.by &&
        !each.patch.force &&
        !first.patch.force &&
        names <= MAX_NAMES &&
        // One that is sent again finds the result of the first try.
        !batch.some(({ patch }) => isSameKey(patch, each.patch));
      if (each !== first && !fits) break;
      batch.push(each);
    }
    const taken = new Set(batch);
    this.#waiting.splice(0, Infinity, ...this.#waiting.filter((each) => !taken.has(each)));
    return batch;
  }
}

const isSameKey = ({ idempotency: a }: MailboxChanges, { idempotency: b }: MailboxChanges): boolean =>
  a !== null && a.key === b?.key;

import type { PatchResult, Result } from "../api/index.ts";
import type { Timers } from "../runtime/ports.ts";
import type { Actor, Changed, MailboxChanges } from "./protocol.ts";

/** How long a change waits for others that it can be committed with, milliseconds. */
const GATHER = 10;
/** Changes that may wait, and names that one commit changes, at most. */
const MAX_WAITING = 5_000;
const MAX_NAMES = 1_000;

type Answer = Result<Changed<PatchResult>>;

/** Makes changes of one domain by one actor together. @returns an answer for each, in order */
export type PatchTogether = (patches: readonly MailboxChanges[], by: Actor) => Promise<readonly Answer[]>;

interface Waiting {
  readonly patch: MailboxChanges;
  readonly by: Actor;
  readonly make: PatchTogether;
  answered(answer: Answer): void;
  failed(error: unknown): void;
}

/**
 * Makes single changes one after the other, those that wait together in one commit: each commit writes a manifest,
 * which is large for a large list. An object that is replaced loses what waits; the callers then learn that their call
 * failed.
 */
export class PatchQueue {
  readonly #timers: Timers;
  readonly #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(patch: MailboxChanges, by: Actor, make: PatchTogether): Promise<Answer> {
    if (this.#waiting.length >= MAX_WAITING) {
      const message = `${MAX_WAITING} changes are waiting: try again later`;
      return Promise.resolve({ ok: false, error: { code: "unavailable", message } });
    }
    return new Promise((answered, failed) => {
      this.#waiting.push({ patch, by, make, answered, failed });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await this.#timers.sleep(GATHER).catch(() => undefined);
      const batch = this.#next();
      const { by, make } = batch[0] as Waiting;
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

  /** Takes what can be committed together with the first one, in the order in which it came. */
  #next(): Waiting[] {
    const [first] = this.#waiting as [Waiting];
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

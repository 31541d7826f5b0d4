import type { Clock, Timers } from "../runtime/ports.ts";
import { withTimeout } from "../runtime/timeout.ts";
import { OperationLimitError, type ReaderContext } from "./ports.ts";

/** How long one piece of work may take, and the wait for another request's. Milliseconds. */
export const WORK_TIMEOUT = 3_000;
/** A lease whose holder died expires. */
const LEASE = 5_000;
/** After a failure the same work is not started again for so long. */
export const FAILURE_PAUSE = 1_000;
const POLL = 15;
/** How many pauses are stored. Past this limit all are dropped, which costs a few operations. */
const MAX_PAUSES = 10_000;

/** A named piece of work, as a request that needs its result sees it. */
export interface Work {
  readonly name: string;
  /** The number to reach, if requests may need different ones: work for a lower number is not enough. */
  readonly target?: number;
  /** Whether the result is there already, if that may be so before the work ends. */
  isSettled?(): boolean;
  run(): Promise<void>;
  /** Called when this request has run the work, with an error if it failed. */
  ended?(error?: unknown): void;
}

interface Lease {
  /** Unix milliseconds. */
  readonly end: number;
  readonly target: number;
}

/**
 * Lets one request do each piece of work; the others wait for its result. Requests in Workers cannot share
 * promises, so the others poll settled state.
 */
export class SingleFlight {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #leases = new Map<string, Lease>();
  /** When each paused piece of work may start again, Unix milliseconds. */
  readonly #pauses = new Map<string, number>();

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /**
   * Does the work once among all requests. Settles when it is done, by this request or another, or when the time is
   * up. Does not reject if the work fails: that pauses it for a moment.
   */
  async run(context: ReaderContext, work: Work): Promise<void> {
    const key = keyOf(work);
    const running = context.pending.get(key);
    if (running !== undefined) return running;
    const turn = this.#takeTurn(context, work);
    context.pending.set(key, turn);
    try {
      await turn;
    } finally {
      context.pending.delete(key);
    }
  }

  /** Whether any request does this work now. */
  isRunning(name: string): boolean {
    return (this.#leases.get(name)?.end ?? 0) > this.#clock.now();
  }

  /** Whether this work failed a moment ago. */
  isPaused(key: string): boolean {
    return (this.#pauses.get(key) ?? 0) > this.#clock.now();
  }

  pause(key: string, ms: number): void {
    if (this.#pauses.size >= MAX_PAUSES) this.#pauses.clear();
    this.#pauses.set(key, this.#clock.now() + ms);
  }

  async #takeTurn(context: ReaderContext, work: Work): Promise<void> {
    const { name, target = 0 } = work;
    const end = Math.min(this.#clock.now() + WORK_TIMEOUT, context.deadline);
    while (!this.isPaused(keyOf(work))) {
      if (!this.isRunning(name)) return this.#perform(work);
      const running = (this.#leases.get(name) as Lease).target;
      const isSettled = (): boolean => work.isSettled?.() ?? false;
      while (!isSettled() && this.isRunning(name) && this.#clock.now() < end) await this.#timers.sleep(POLL);
      if (isSettled() || running >= target || this.#clock.now() >= end) return;
    }
  }

  async #perform(work: Work): Promise<void> {
    const { name, target = 0 } = work;
    this.#leases.set(name, { end: this.#clock.now() + LEASE, target });
    try {
      await withTimeout(this.#timers, WORK_TIMEOUT, work.run);
      work.ended?.();
    } catch (error) {
      // This request reached its limits, which says nothing about the work.
      if (error instanceof OperationLimitError) return;
      this.pause(keyOf(work), FAILURE_PAUSE);
      work.ended?.(error);
    } finally {
      this.#leases.delete(name);
    }
  }
}

const keyOf = ({ name, target }: Work): string => (target === undefined ? name : `${name} for ${target}`);

import type { SteadyClock } from "../ports.ts";
import { createSteadyClock } from "../steady-clock.ts";

/** How far the wall clock may be set back, or slewed, before that counts. Milliseconds. */
const TOLERANCE = 1_000;

/** The host's clocks. */
export interface HostClocks {
  /** Milliseconds that never go back; they may stand still while the host sleeps. */
  monotonic(): number;
  /** Unix milliseconds. */
  wall(): number;
}

/** The Registry's time in an answer, and when that answer arrived. */
interface Heard {
  readonly time: number;
  /** On the clock of windows. */
  readonly at: number;
  /** On the host's monotonic clock. */
  readonly monotonic: number;
}

/**
 * The times that a replica decides by. None is the host's wall clock: that may be wrong, or be set at any moment.
 *
 * - {@link ReplicaTime.now}, for windows and accept-grace: it never goes back, counts sleep, and rather runs ahead of the
 *   Registry's time than behind it, so that confirmations and contacts end early and never late.
 * - {@link ReplicaTime.earliest}, for departures and deletions: the earliest that the Registry's time can be by its last
 *   answer, so that a name is deferred for too long rather than refused too early.
 */
export class ReplicaTime {
  readonly #clocks: HostClocks;
  readonly #steady: SteadyClock;
  readonly #leap: number;
  /** What is added to the steady clock. Only grows. */
  #offset: number;
  /** What answers of the Registry showed to have passed unnoticed. Only grows. */
  #unnoticed = 0;
  /** How far the steady clock is ahead of the wall clock. */
  #lead: number;
  #heard: Heard | null = null;

  /**
   * @param startsAt the Registry's time at this moment, as far as it is known; Unix milliseconds
   * @param leap milliseconds that count as passed if the wall clock was set back: it may hide as long a sleep, so that
   * nothing confirmed before may count
   */
  constructor(clocks: HostClocks, startsAt: number, leap: number) {
    this.#clocks = clocks;
    this.#steady = createSteadyClock(clocks.monotonic, clocks.wall);
    this.#leap = leap;
    this.#offset = startsAt - this.#steady.now();
    this.#lead = this.#steady.now() - clocks.wall();
  }

  now(): number {
    return this.elapsed() + this.#unnoticed;
  }

  /** The same, uncorrected by answers of the Registry: for what passes between a question and its answer. */
  elapsed(): number {
    const steady = this.#steady.now();
    const lead = steady - this.#clocks.wall();
    if (lead - this.#lead > TOLERANCE) this.#offset += this.#leap;
    this.#lead = lead;
    return steady + this.#offset;
  }

  /** An answer of the Registry arrived. @param time its time, Unix milliseconds */
  heard(time: number): void {
    this.#unnoticed += Math.max(0, time - this.now());
    this.#heard = { time, at: this.now(), monotonic: this.#clocks.monotonic() };
  }

  /** The Registry's time at the least, Unix milliseconds; 0 before its first answer, when no grace is over. */
  earliest(): number {
    const heard = this.#heard;
    return heard === null ? 0 : heard.time + this.#clocks.monotonic() - heard.monotonic;
  }

  /** The Registry's time as far as it is known, Unix milliseconds: for the next start. */
  estimate(): number {
    const heard = this.#heard;
    return heard === null ? this.now() : heard.time + this.now() - heard.at;
  }
}

import type { SteadyClock } from "../ports.ts";
import { createSteadyClock } from "../steady-clock.ts";

/** How far the wall clock may be set back, or slewed, before that counts. Milliseconds. */
const TOLERANCE = 1_000;

/** How much of what the wall clock gained may be rounding. Milliseconds. */
const ROUNDING = 5_000;
/** Leaps of the wall clock that are remembered; older ones count as passed. */
const MAX_LEAPS = 100;

/** For how long a host has been up, its sleep included. */
export interface Uptime {
  /** Identifies the boot. */
  readonly boot: string;
  readonly ms: number;
}

/** The host's clocks. */
export interface HostClocks {
  /** Null if the platform does not say. */
  uptime(): Uptime | null;
  /** Milliseconds that never go back; they may stand still while the host sleeps. */
  monotonic(): number;
  /** Unix milliseconds. */
  wall(): number;
}

/** The wall clock gained more than the host slept: it was set forward, or a virtual machine was paused. */
interface Leap {
  /** On the clock of windows, before it. */
  readonly at: number;
  readonly ms: number;
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
 * - {@link ReplicaTime.silence}, for accept-grace: what is certain to have passed since a contact. A wall clock that was set
 *   forward by a week must not end all accepts in an outage. *
 * - {@link ReplicaTime.now}, for windows: it never goes back, counts sleep, and rather runs ahead of the
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
  #leaps: readonly Leap[] = [];
  /** What the host had slept since its boot when that was last looked at; null if the platform does not say. */
  #slept: number | null;

  /**
   * @param startsAt the Registry's time at this moment, as far as it is known; Unix milliseconds
   * @param leap milliseconds that count as passed if the wall clock was set back: it may hide as long a sleep, so that
   * nothing confirmed before may count
   * @param doubt of that moment, how much is the wall clock's word alone, milliseconds
   */
  constructor(clocks: HostClocks, startsAt: number, leap: number, doubt = 0) {
    this.#clocks = clocks;
    this.#slept = this.#sleptByNow();
    this.#steady = createSteadyClock(clocks.monotonic, clocks.wall, (gain, before) =>
      this.#noteGain(gain, before),
    );
    this.#leap = leap;
    this.#offset = startsAt - this.#steady.now();
    this.#lead = this.#steady.now() - clocks.wall();
    if (doubt > ROUNDING) this.#leaps = [{ at: startsAt - doubt, ms: doubt }];
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

  /** Milliseconds that are certain to have passed since a moment on the clock of windows. */
  silence(since: number): number {
    const doubt = this.#leaps.reduce((sum, { at, ms }) => (at >= since ? sum + ms : sum), 0);
    return this.now() - since - doubt;
  }

  #noteGain(gain: number, before: number): void {
    const [slept, then] = [this.#sleptByNow(), this.#slept];
    this.#slept = slept;
    if (slept === null || then === null) return;
    const ms = gain - (slept - then);
    if (ms <= ROUNDING) return;
    const at = before + this.#offset + this.#unnoticed;
    this.#leaps = [...this.#leaps, { at, ms }].slice(-MAX_LEAPS);
  }

  #sleptByNow(): number | null {
    const uptime = this.#clocks.uptime();
    return uptime === null ? null : uptime.ms - this.#clocks.monotonic();
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

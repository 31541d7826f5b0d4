/**
 * Distinct names of the last day, hour by hour: a sketch whose registers remember in which hour each rank was last seen. A
 * rank counts no more once one that is as high is as new.
 */
import { newSketch, type Sketch } from "../../directory/index.ts";

const HOUR = 3_600_000;
/** Hours that count, the present one included. */
const HOURS = 24;
/** Ranks of a register: the highest one, and the newest. */
const MOST_RANKS = 4;

/** The hour of a time, Unix milliseconds. */
export const hourOf = (now: number): number => Math.floor(now / HOUR);

/** One rank of a register as a number: in order of the registers, and of the ranks from the highest on. */
const RANKS = 64;
const ALL_HOURS = 2 ** 21;
const entryOf = (register: number, rank: number, hour: number): number =>
  (register * RANKS + RANKS - 1 - rank) * ALL_HOURS + hour;
const registerIn = (entry: number): number => Math.floor(entry / ALL_HOURS / RANKS);
const rankIn = (entry: number): number => RANKS - 1 - (Math.floor(entry / ALL_HOURS) % RANKS);
const hourIn = (entry: number): number => entry % ALL_HOURS;

export class DaySketch {
  #entries: number[] = [];

  /** How much it remembers: about eight octets each. */
  get size(): number {
    return this.#entries.length;
  }

  /** Adds a packed sketch. @returns what was not known of this hour, packed; empty if all of it was */
  add(packed: Uint8Array, hour: number): Uint8Array {
    const before = this.#entries;
    const after: number[] = [];
    const news: number[] = [];
    let at = 0;
    const upTo = (register: number): number[] => {
      const from = at;
      while (at < before.length && registerIn(before[at] as number) <= register) at++;
      return before.slice(from, at);
    };
    for (let i = 0; i < packed.length; i += 2) {
      const [register, rank] = [packed[i] as number, packed[i + 1] as number];
      after.push(...upTo(register - 1));
      const own = upTo(register);
      if (own.some((entry) => rankIn(entry) >= rank && hourIn(entry) >= hour)) after.push(...own);
      else {
        // Higher ones, and newer ones: what is read after a restart is older.
        const kept = own.filter(
          (entry) => (rankIn(entry) > rank || hourIn(entry) > hour) && hourIn(entry) > hour - HOURS,
        );
        kept.push(entryOf(register, rank, hour));
        kept.sort((a, b) => a - b);
        // The highest one counts longest, and then the newest.
        if (kept.length > MOST_RANKS) kept.splice(1, kept.length - MOST_RANKS);
        after.push(...kept);
        news.push(register, rank);
      }
    }
    after.push(...before.slice(at));
    this.#entries = after;
    return Uint8Array.from(news);
  }

  /** The names of the day that ends with an hour. */
  at(hour: number): Sketch {
    const sketch = newSketch();
    for (const entry of this.#entries) {
      const register = registerIn(entry);
      if (hourIn(entry) > hour - HOURS && sketch[register] === 0) sketch[register] = rankIn(entry);
    }
    return sketch;
  }

  /** Forgets what no longer counts. */
  forget(hour: number): void {
    this.#entries = this.#entries.filter((entry) => hourIn(entry) > hour - HOURS);
  }
}

/**
 * What goes wrong, and when: episodes of the plan. An operation asks which fault meets it; the answer hangs on the
 * episode and on a count of its own, so that leaving other episodes out changes little.
 */

import { Random } from "../../testing/random.ts";
import type { Episode, FaultKind } from "../basics/faults.ts";
import type { Tally } from "../basics/tally.ts";

/** A fault that was met, with a number for how bad it is. */
export interface Met {
  readonly kind: FaultKind;
  /** From 0 to 1. */
  readonly size: number;
}

interface OpenEpisode {
  readonly episode: Episode;
  readonly random: Random;
}

export class Faults {
  readonly #tally: Tally;
  #open: OpenEpisode[] = [];
  /** Set once faults have stopped for good. */
  isOver = false;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  begin(seed: number, episode: Episode): void {
    this.#open.push({ episode, random: new Random(seed, "episode", episode.id) });
  }

  /** The fault that an operation meets at a location, of those kinds that can meet it. */
  meet(now: number, location: string, isOne: (kind: FaultKind) => boolean): Met | null {
    if (this.isOver || this.#open.length === 0) return null;
    if (this.#open.some(({ episode }) => episode.to <= now)) {
      this.#open = this.#open.filter(({ episode }) => episode.to > now);
    }
    for (const { episode, random } of this.#open) {
      if (episode.location !== null && episode.location !== location) continue;
      if (!isOne(episode.kind) || !random.chance(episode.share)) continue;
      this.#tally.fault(episode.kind);
      const { least = 0 } = episode;
      return { kind: episode.kind, size: least + (1 - least) * random.next() };
    }
    return null;
  }
}

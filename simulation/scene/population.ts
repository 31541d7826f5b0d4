/** The isolates of a world: who is alive, who is kept for what, and who is picked. */

import { SKEW } from "../../testing/limits.ts";
import type { Random } from "../../testing/random.ts";
import { type IsolateParts, SimulatedIsolate } from "../world/isolate.ts";

/** Parts of a new isolate beside its name, its place and its clock. */
export type PartsOf = (name: string, location: string) => Omit<IsolateParts, "name" | "location" | "skew">;

export class Population {
  readonly #partsOf: PartsOf;
  readonly all: SimulatedIsolate[] = [];
  readonly #byName = new Map<string, SimulatedIsolate>();
  readonly #focused = new Map<number, SimulatedIsolate>();
  readonly #kept = new Set<SimulatedIsolate>();

  constructor(partsOf: PartsOf) {
    this.#partsOf = partsOf;
  }

  get living(): readonly SimulatedIsolate[] {
    return this.all.filter((it) => it.isAlive);
  }

  named(name: string): SimulatedIsolate | undefined {
    return this.#byName.get(name);
  }

  /** A new isolate, cold. */
  begin(location: string, changes: Partial<IsolateParts["settings"]>, random: Random): SimulatedIsolate {
    const name = `isolate ${this.all.length + 1}`;
    const parts = this.#partsOf(name, location);
    const host = new SimulatedIsolate({
      ...parts,
      name,
      location,
      settings: { ...parts.settings, ...changes },
      skew: random.between(-SKEW / 2, SKEW / 2),
    });
    this.all.push(host);
    this.#byName.set(name, host);
    return host;
  }

  /** Keeps an isolate for the steps of a focus. */
  keep(host: SimulatedIsolate, focus: number): void {
    this.#focused.set(focus, host);
    this.#kept.add(host);
  }

  /** The isolate that is kept for the steps of a focus; null if it was left out. */
  focused(focus: number): SimulatedIsolate | null {
    return this.#focused.get(focus) ?? null;
  }

  /** Isolates that are alive and kept for no meeting. */
  get ordinary(): readonly SimulatedIsolate[] {
    return this.living.filter((it) => !this.#kept.has(it));
  }

  /** One of them, near a location if there is one. */
  pick(random: Random, location?: string): SimulatedIsolate | null {
    const { ordinary } = this;
    const near = ordinary.filter((it) => it.location === location);
    if (ordinary.length === 0) return null;
    return random.pick(near.length > 0 ? near : ordinary);
  }
}

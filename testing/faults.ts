/**
 * What goes wrong, and when: episodes of the plan. An operation asks which fault meets it; the answer hangs on the
 * episode and on a count of its own, so that leaving other episodes out changes little.
 */

import type { KvFault } from "./kv.ts";
import { LATE } from "./limits.ts";
import { Random } from "./random.ts";
import type { RegistryFault } from "./registry-host.ts";

/** Kinds of faults that an operation may meet. */
export type FaultKind =
  | "kv read error"
  | "kv read slow"
  | "kv read hangs"
  | "kv read 429"
  | "kv read flaps"
  | "kv read damaged"
  | "kv write error"
  | "kv write 429"
  | "kv write lost"
  | "kv write late"
  | "kv write repeated"
  | "kv write slow"
  | "registry unreachable"
  | "registry hangs"
  | "registry slow"
  | "registry answer late"
  | "registry answer lost"
  | "registry call repeated"
  | "registry replaced"
  | "alarm late"
  | "alarm twice"
  | "alarm fails"
  | "edge away"
  | "edge slow"
  | "edge answers nonsense"
  | "edge answer lost"
  | "edge answer late"
  | "proxy answers stale"
  | "replica cannot poll"
  | "isolate computes long"
  | "publisher crashes";

/** One fault that is about for a while, at one location or everywhere. */
export interface Episode {
  readonly kind: FaultKind;
  readonly from: number;
  readonly to: number;
  /** Null: everywhere. */
  readonly location: string | null;
  /** Share of operations that meet it. */
  readonly share: number;
  /** How bad it is at least, from 0 to 1. */
  readonly least?: number;
  readonly id: number;
}

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
  readonly #met: (kind: FaultKind) => void;
  #open: OpenEpisode[] = [];
  /** Set once faults have stopped for good. */
  isOver = false;

  /** @param met learns of each fault that an operation met */
  constructor(met: (kind: FaultKind) => void) {
    this.#met = met;
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
      this.#met(episode.kind);
      const { least = 0 } = episode;
      return { kind: episode.kind, size: least + (1 - least) * random.next() };
    }
    return null;
  }
}

/** Whether a fault meets operations of a kind. */
export const meets =
  (operation: "kv read" | "kv write" | "registry" | "edge") =>
  (kind: FaultKind): boolean =>
    kind.startsWith(operation);

/** @param flapping the delay of a write for one read alone */
export function kvFault(
  { kind, size }: Met,
  flapping: (key: string, write: number) => number,
): KvFault | undefined {
  switch (kind) {
    case "kv read error":
    case "kv write error":
      return { kind: "error" };
    case "kv read 429":
    case "kv write 429":
      return { kind: "error", message: "KV: 429 too many requests" };
    case "kv read hangs":
      return { kind: "hang" };
    case "kv read slow":
    case "kv write slow":
      return { kind: "slow", ms: 200 + size * 6_000 };
    case "kv read flaps":
      return { kind: "flaps", delay: flapping };
    case "kv read damaged":
      return { kind: "damaged", damage: (bytes) => damaged(bytes, size) };
    case "kv write lost":
      return { kind: "lost" };
    case "kv write late":
      return { kind: "late", ms: size * LATE };
    case "kv write repeated":
      return { kind: "repeated", ms: size * LATE };
    default:
      return undefined;
  }
}

/** How long a call hangs before it arrives after all. */
const HANG = 40_000;

/** @param isReplaced whether there is a replaced object that may still be asked */
export function registryFault({ kind, size }: Met, isReplaced: boolean): RegistryFault | undefined {
  switch (kind) {
    case "registry unreachable":
      return { kind: "error" };
    case "registry hangs":
      return { kind: "slow", ms: HANG };
    case "registry slow":
      return { kind: "slow", ms: 100 + size * 5_000 };
    case "registry answer late":
      return { kind: "late", ms: 100 + size * 8_000 };
    case "registry answer lost":
      return { kind: "lost" };
    case "registry call repeated":
      return { kind: "repeated" };
    case "registry replaced":
      return isReplaced ? { kind: "replaced" } : undefined;
    default:
      return undefined;
  }
}

/** Changes one byte, more often near the end: damage to the header is nearly always noticed by its format. */
function damaged(bytes: Uint8Array, size: number): Uint8Array {
  const at = Math.floor((1 - size * size) * bytes.length);
  if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ 0x5a;
  return bytes;
}

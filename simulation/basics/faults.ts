/** What may go wrong, as plans name it and the world has it happen. */

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

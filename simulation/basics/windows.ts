/** Kinds of ages that are bounded, as docs/consistency.md has them. */

export interface WindowRow {
  readonly answer: string;
  /** The bound, and how it follows from the rules. */
  readonly derived: string;
}

export const WINDOWS = {
  refusal: {
    answer: "refusal, edge",
    derived: "W, and up to 50 ms for which the isolate computes while its clock stands",
  },
  "not-served": { answer: "not served", derived: "W, as any refusal" },
  "accept, confirmed": { answer: "accept, confirmed", derived: "W" },
  "accept, unconfirmed, after the copy to KV": {
    answer: "accept, unconfirmed: cold, lapsed or behind",
    derived:
      "from the copy to KV: 180 s until it shows, 30 s of cacheTtl, W in memory, 4.5 s for the check: W + 214.5 s",
  },
  "accept, Registry away": {
    answer: "accept while the Registry does not answer",
    derived: "accept-grace since its last contact",
  },
  "replica: refusal": { answer: "refusal, replica", derived: "W, on a clock that counts sleep" },
  "replica: accept, confirmed": { answer: "accept of a replica, confirmed", derived: "W" },
  "replica: accept, edge away": {
    answer: "accept of a replica while the edge is away",
    derived:
      "accept-grace since its last contact, also across reboots; a day once something newer was heard; accept-grace since its log was lost, if no log lists it",
  },
  "bridge: refusal": {
    answer: "refusal at a bridge",
    derived: "W, which counts from before its own question",
  },
  "bridge: accept": { answer: "accept at a bridge", derived: "W and the bridge's timeout, 3 s" },
  "bridge: accept under grace": {
    answer: "accept at a bridge while the edge is away",
    derived:
      "accept-grace since the last contact that it carried, and the timeout; a day since its confirmation once something newer was seen",
  },
  "bridge: accept under grace, unconfirmed": {
    answer: "the same, from an isolate that was cold, lapsed or behind",
    derived: "the same, and the age of its accept",
  },
  "every isolate at the heads, after faults": {
    answer: "every isolate at the heads, once faults stop",
    derived: "timeouts, leases and pauses end within 45 s, then half a window",
  },
  "KV equals the heads, after faults": {
    answer: "KV equal to the heads, once faults stop",
    derived:
      "late writes 60 s, five minutes until a lost copy that readers miss is put again; the roster by its next heartbeat; what copies of single changes wait for their budget does not count",
  },
} as const satisfies Readonly<Record<string, WindowRow>>;

export type WindowKind = keyof typeof WINDOWS;

/** The worst age that was seen, beside the bound that it had to keep; milliseconds. */
export interface Worst {
  readonly age: number;
  /** Null if no number bounds it by itself. */
  readonly bound: number | null;
}

/** Which of two comes nearer to its bound. */
export const isWorse = (a: Worst, b: Worst): boolean =>
  a.bound !== null && b.bound !== null ? a.age / a.bound > b.age / b.bound : a.age > b.age;

const inSeconds = (ms: number): string => (ms / 1000).toFixed(1);

export const showWorst = ({ age, bound }: Worst): string =>
  bound === null ? `${inSeconds(age)} s` : `${inSeconds(age)} s of ${inSeconds(bound)} s`;

/** Ports of the edge. platform.ts implements them with the platform, the simulation with virtual time. */
import type { FaultKind } from "../api/index.ts";
import type { Hashing } from "../directory/index.ts";
import type { BrakeLine } from "../registry/ports.ts";
import type { Clock, Random, Timers } from "../runtime/ports.ts";

/** One line of the log. It names a domain that is served here, and never a recipient. */
export interface FaultLine {
  readonly event: "fault";
  readonly kind: FaultKind;
  readonly domain: string | null;
  readonly detail: string;
  /** Number of faults since the last line about them, this one included. */
  readonly count: number;
}

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
  /** The operator's log; by default nothing is logged. */
  readonly log?: (line: FaultLine | BrakeLine) => void;
}

/** Ports of the edge. platform.ts implements them with the platform, the simulation with virtual time. */
import type { Hashing } from "../directory/index.ts";
import type { BrakeLine, FaultLine } from "../registry/index.ts";
import type { Clock, Random, Timers } from "../runtime/ports.ts";

export type { FaultLine };

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
  /** The operator's log; by default nothing is logged. */
  readonly log?: (line: FaultLine | BrakeLine) => void;
}

import type { AbortableTimers } from "../runtime/first-of.ts";

export type { AbortableTimers };

/** Milliseconds that never go back; only differences mean anything. For the wall clock see runtime/ports.ts. */
export interface SteadyClock {
  now(): number;
}

/** Time, as the bridge uses it. */
export interface BridgePorts {
  readonly clock: SteadyClock;
  readonly timers: AbortableTimers;
}

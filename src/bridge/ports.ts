/** Milliseconds that never go back; only differences mean anything. For the wall clock see runtime/ports.ts. */
export interface SteadyClock {
  now(): number;
}

export interface AbortableTimers {
  /** Resolves after `ms`, or early, without an error, when `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Time, as the bridge uses it. */
export interface BridgePorts {
  readonly clock: SteadyClock;
  readonly timers: AbortableTimers;
}

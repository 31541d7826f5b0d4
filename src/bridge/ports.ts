import type { Outcome } from "../client/index.ts";

/** Milliseconds that never go back; only differences are looked at. */
export interface Clock {
  now(): number;
}

export interface Timers {
  /** Resolves after `ms`; early, without an error, where `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The outside world of resolver and cache. */
export interface BridgePorts {
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * Asks the edge about recipients of one domain, in one request. Never rejects; ends by itself within the time of one
 * exchange.
 * @param floor highest generation of the domain seen so far, 0 for none
 * @returns an outcome for each, in order
 */
export type AskEdge = (
  recipients: readonly string[],
  domain: string,
  floor: number,
) => Promise<readonly Outcome[]>;

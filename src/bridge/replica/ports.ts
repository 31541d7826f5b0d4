/** What a replica needs from its host and from the edge. */
import type { FaultKind } from "../../api/index.ts";
import type { RollcallClient } from "../../client/index.ts";
import type { StoreObserver } from "./store.ts";

/** The edge, as a replica asks it. */
export type ReplicaEdge = Pick<RollcallClient, "changes" | "manifest" | "blob" | "domainKey">;

/**
 * Why a poll was of no use: no answer came, the edge refused, the answer is not usable, or it is older than what this host
 * has heard.
 */
export type PollFault = "unreachable" | "refused" | "unusable" | "older";

/** Receives what happens, for log lines and metrics. */
export interface ReplicaObserver extends StoreObserver {
  /** A poll ended; `fault` is null if its answer was applied. */
  polled(partition: number, fault: PollFault | null, why: string): void;
  /** The Registry started a new log, which does not list these domains any more. */
  unlisted(partition: number, domains: readonly string[]): void;
  /** A domain's list is complete and current. */
  ready(domain: string, generation: number, blobs: number): void;
  /** How far the fetch of a domain's list is. */
  progress(domain: string, done: number, total: number): void;
  /** A domain's list could not be fetched; it is tried again. */
  syncFailed(domain: string, why: string): void;
  /** A stored part of a domain's list is missing or damaged; it is fetched again. */
  missing(domain: string, what: string): void;
  fetched(bytes: number): void;
  /** The folder is of a newer release, and is not used. */
  newerFormat(folder: string, format: number): void;
  /** The host's clock is before the time that an earlier run stored: nothing is answered from the store until the edge has. */
  clockWentBack(): void;
  /** The reader found a fault. */
  fault(kind: FaultKind, domain: string | null, detail: string): void;
  /** A fault of the bridge. */
  failed(error: unknown): void;
}

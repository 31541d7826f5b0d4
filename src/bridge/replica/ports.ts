/** What a replica needs from its host and from the edge. */
import type { DomainKeyBody, FaultKind, Position, QuestionAnswer } from "../../api/index.ts";
import type { StoreObserver } from "./store.ts";

/** "What changed in this partition since N?" */
export interface ChangesQuestion {
  readonly partition: number;
  readonly since: Position | null;
  /** Comes back in the answer, so that no other answer is taken for this one. */
  readonly nonce: string;
}

/** The answer of the Registry itself, about the domains of the token only. */
export interface Changes {
  readonly partition: number;
  readonly partitions: number;
  /** Milliseconds for which the answer confirms, counted from before the question. */
  readonly window: number;
  /** The Registry's time, Unix milliseconds. */
  readonly time: number;
  readonly answer: QuestionAnswer;
}

/** The edge, as a replica asks it. Each call rejects with a ClientError; answers that fit no question are among them. */
export interface ReplicaEdge {
  changes(question: ChangesQuestion): Promise<Changes>;
  /** Bytes of a domain's newest manifest. */
  manifest(domain: string): Promise<Uint8Array>;
  /** Bytes of a shard, or of departures. */
  blob(domain: string, id: string): Promise<Uint8Array>;
  domainKey(domain: string, epoch: number): Promise<DomainKeyBody>;
}

/** Why a poll was of no use: no answer came, the edge refused, or the answer is not usable. */
export type PollFault = "unreachable" | "refused" | "unusable";

/** Receives what happens, for log lines and metrics. */
export interface ReplicaObserver extends StoreObserver {
  /** A poll ended; `fault` is null if its answer was applied. */
  polled(partition: number, fault: PollFault | null, why: string): void;
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

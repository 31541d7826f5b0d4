/** What the reader needs from its host: settings, permanent ports, and one context for each request. */
import type { FaultKind, Question, QuestionAnswer, Result } from "../api/index.ts";
import type { Answer, DomainKey, Hashing, Mac } from "../directory/index.ts";
import type { Clock, KvStore, Timers } from "../runtime/ports.ts";

/** Settings that the reader uses. Times in milliseconds. */
export interface ReaderSettings {
  /** How long a confirmation lasts: the window of law 2. */
  readonly window: number;
  /** How long accepts continue without contact with the Registry. */
  readonly acceptGrace: number;
  /** Bytes of manifests and blobs that may be cached. */
  readonly cacheBytes: number;
  /** Number of partitions over which domains are spread; fixed once chosen. */
  readonly partitions: number;
  /** Heads that a Registry lists to a reader that starts; if it has more, KV's roster lists them. */
  readonly mostHeads: number;
}

export interface ReaderPorts {
  readonly clock: Clock;
  /** The Registry's time, by which departures and deletions end, if `clock` may be ahead of it. Default: `clock`. */
  readonly registryClock?: Clock;
  /** Milliseconds that have passed since a contact, if some of what `clock` shows is in doubt. Default: by `clock`. */
  readonly silence?: (contact: number) => number;
  readonly timers: Timers;
  readonly hashing: Hashing;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
  readonly rosterMac: Mac;
  readonly observer: Observer;
}

/** A name to be counted once among those of its kind, however often it is asked for. */
export interface AskedName {
  /** The domain whose list it is looked up in. */
  readonly domain: string;
  /** If it left the list: the group of names that left together. 0: enforce mode would refuse it. */
  readonly group: number;
  /** Its fingerprint's digest. */
  readonly name: Uint8Array;
}

/** Receives answers and faults, for counters and log lines. Never a recipient. */
export interface Observer {
  /**
   * @param domain the domain if it has a list here, else null: a client may invent others
   * @param names what is to be counted of the recipient's name
   */
  answered(answer: Answer, domain: string | null, names?: readonly AskedName[]): void;
  /** @param domain one that has a list here, or null; never a domain that only a client named */
  fault(kind: FaultKind, domain: string | null, detail: string): void;
}

/** The log of one partition. A rejected promise means that it could not be reached. */
export interface Log {
  /** "What changed since N?" */
  changes(question: Question): Promise<Result<QuestionAnswer>>;
  /**
   * Bytes of a blob, null if the owner of the log does not have it.
   * @param isMissed whether KV was asked first and does not have an intact one
   */
  blob(domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>>;
}

/** What belongs to one request: its access to KV and the logs, its promises, its deadline. */
export interface ReaderContext {
  readonly kv: Pick<KvStore, "get" | "getTexts">;
  log(partition: number): Log;
  /** Keeps the request alive until the work is done. */
  background(work: Promise<unknown>): void;
  /** Work that this request is doing, by name. Workers forbid awaiting a promise of another request. */
  readonly pending: Map<string, Promise<void>>;
  /** Unix milliseconds after which nothing new is started. */
  readonly deadline: number;
}

/** The request may not use KV or a log any more. This says nothing about either. */
export class OperationLimitError extends Error {
  constructor() {
    super("this request has used all the KV and Registry operations that it may use");
    this.name = "OperationLimitError";
  }
}

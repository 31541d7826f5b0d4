/** Isolates, replicas and bridges as the judges see them: from outside, by what was shown to them. */

/** An exchange with a Registry that came to its end: what an isolate may know since. */
export interface Exchange {
  readonly sentAt: number;
  readonly arrivedAt: number;
}

/** What is known of an isolate at one moment. */
export interface Moment {
  readonly time: number;
  /** What its own clock shows. */
  readonly clock: number;
  /** When a fault last met an operation of its. */
  readonly hurtAt: number;
  /** The latest question that was answered, by partition. */
  readonly exchanges: ReadonlyMap<number, Exchange>;
  /** The last contact with each Registry. */
  readonly evidence: ReadonlyMap<number, number>;
  /** The newest state that it had answered from for sure, by domain: its place in the log. */
  readonly answered: ReadonlyMap<string, number>;
  /** Milliseconds that it cannot know to have passed: the clock of its host was set back while that was off. */
  readonly unnoticed?: number;
}

/** Somebody who answers from lists: an isolate or a replica. */
export interface Answerer {
  readonly kind: "isolate" | "replica";
  readonly name: string;
  readonly settings: {
    readonly window: number;
    readonly acceptGrace: number;
    readonly history: number;
    readonly cacheBytes: number;
  };
  /** When it was first seen to answer about a partition. */
  readonly firstAsked: Map<number, number>;
  /** The newest state that it was seen to answer from, by domain: its place in the log. */
  readonly answered: Map<string, number>;
  /** Changes that went through it, and when they were acknowledged, by domain. */
  readonly published: Map<string, { readonly number: number; readonly at: number }>;
}

/** An isolate whose reads are counted too. */
export interface JudgedIsolate extends Answerer {
  readonly bornAt: number;
  /** When a fault last met an operation of its, and how often. */
  readonly hurtAt: number;
  readonly hurts: number;
  /** What it asked of KV and of Registries. */
  readonly kvReads: number;
  readonly questions: number;
  /** Times that somebody had it show a domain, for which it looks into KV. */
  readonly shows: number;
  /** Times that it was visited by traffic. */
  readonly bursts: number;
}

/** What an accept is based on that a bridge keeps. */
export interface Sign {
  readonly incarnation: number | null;
  readonly generation: number | null;
  /** The last contact with the Registry. */
  readonly at: number;
  /** When the recipient was last accepted by what was confirmed as the newest; minus infinity if that was never. */
  readonly confirmedAt: number;
  /** Since when a bridge remembers the accept. */
  readonly notedAt: number;
}

/** The newest state of a domain that a bridge has heard of. */
export interface SeenState {
  readonly incarnation: number;
  readonly generation: number;
  readonly at: number;
  /** When an answer without a generation said that nobody serves the domain any more; minus infinity if none did. */
  readonly goneAt: number;
}

/** The head of a domain as a replica knows it. */
export interface HeardHead {
  readonly partition: number;
  readonly incarnation: number;
  readonly generation: number;
  /** When it was first known to know it, in this run. */
  readonly at: number;
}

/** By domain. */
export interface HeardHeads {
  get(domain: string): HeardHead | undefined;
}

/** A place in the logs of a domain. */
export interface State {
  readonly incarnation: number;
  readonly generation: number;
}

export const isEarlier = (a: State, b: State): boolean =>
  a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.generation < b.generation);

/** An answer of the edge that did not accept a recipient, in the newest state that was seen by then. */
export interface Denial extends State {
  readonly at: number;
}

/** A bridge that is judged. */
export interface JudgedBridge {
  readonly name: string;
  readonly acceptGrace: number;
  /** Newest log that it has heard of, its highest generation, and when, by domain. */
  readonly seen: ReadonlyMap<string, SeenState>;
  /** What its replica knows of the log, by domain; nothing without one. */
  readonly heard: HeardHeads;
  /** When the last contact with the Registry was that an accept is based on, by recipient. */
  readonly vouched: ReadonlyMap<string, Sign>;
  /** Recipients whom the edge did not accept, unless it accepted them since. */
  readonly denied: ReadonlyMap<string, Denial>;
  /** Domains in which that was so before its host last started, with the newest such state. */
  readonly deniedBefore: ReadonlyMap<string, Denial>;
  /** Whether it has memory for all whom it is asked about. */
  readonly hasRoom: boolean;
  /** By recipient: the windows of the isolates that gave the last answer, and the one that is kept. */
  readonly windows: ReadonlyMap<string, { readonly last: number; readonly kept: number }>;
}

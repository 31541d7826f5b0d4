/** What the reader is handed: its settings, and the outside world. */
import type { FaultKind } from "../api/contract.ts";
import type { Hashing } from "../directory/index.ts";
import type { Clock, Random, Timers } from "../runtime/ports.ts";

/** One line of the log. It names a domain that is served here, and never a recipient. */
export interface FaultLine {
  readonly event: "fault";
  readonly kind: FaultKind;
  readonly domain: string | null;
  readonly detail: string;
  /** Times that it was met since the last line about it, this one included. */
  readonly count: number;
}

/** The ports that every part of the edge shares. */
export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
  /** The operator's log; where there is none, nothing is written. */
  readonly log?: (line: FaultLine) => void;
}

/** What the operator set, as far as the reader uses it. Times in milliseconds. */
export interface ReaderSettings {
  readonly masterKey: Uint8Array;
  /** How long a confirmation lasts: the window of law 2. */
  readonly window: number;
  /** How long accepts go on without any sign of the Registry. */
  readonly acceptGrace: number;
  /** Bytes that an isolate may hold of manifests and shards. */
  readonly cacheBytes: number;
  /** Number of Registries over which domains are spread; fixed once chosen. */
  readonly partitions: number;
  /** Heads that a Registry lists to an isolate that starts; where it has more, KV's roster lists them. */
  readonly mostHeads: number;
}

/** What a simulated mail host with a replica is made of. */
import type { Faults } from "../../testing/faults.ts";
import type { Fetch } from "../../testing/network.ts";
import type { Random } from "../../testing/random.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";

export interface ReplicaParts {
  readonly name: string;
  readonly location: string;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly fetch: Fetch;
  /** The edge's window, until it has said its own. */
  readonly window: number;
  readonly acceptGrace: number;
  readonly history: number;
  partitionOf(domain: string): number;
  violation(assertion: string, words: string): void;
  trace(words: () => string): void;
}

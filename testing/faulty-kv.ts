/** KV of a world: delays follow from its seed, faults from its plan. */

import { type Faults, kvFault, meets } from "./faults.ts";
import { FakeKv, type KvWatcher } from "./kv.ts";
import { PROPAGATION } from "./limits.ts";
import { hash } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface FaultyKvParts {
  readonly seed: number;
  readonly clock: VirtualTime;
  readonly watcher: KvWatcher;
  readonly faults: Faults;
  /** A fault met a reader. */
  hurt(caller: string): void;
  /** Whether two writes to one key within a second are the writer's fault. */
  isWriterSteady(): boolean;
  trace(words: () => string): void;
  violation(assertion: string, words: string): void;
}

export function faultyKv(parts: FaultyKvParts): FakeKv {
  const { seed, clock, watcher, faults, hurt, isWriterSteady, trace, violation } = parts;
  const kv = new FakeKv(clock, watcher);
  let operations = 0;
  const delay = (location: string, key: string, write: number, salt: number): number =>
    delayOf(hash(seed, location, key, write, salt) / 2 ** 32);
  kv.propagation = (location, key, write) => delay(location, key, write, -1);
  kv.latency = () => 3 + (operations++ % 5);
  kv.limit = (words) => violation("platform limits", words);
  kv.tooFastWrite = (words) => {
    if (isWriterSteady()) violation("platform limits", words);
  };
  kv.fault = ({ kind, keys, location, caller }) => {
    const met = faults.meet(clock.now(), location, meets(kind === "get" ? "kv read" : "kv write"));
    if (met === null) return undefined;
    if (kind === "get" && met.kind !== "kv read flaps") hurt(caller);
    trace(() => `${met.kind}: ${keys.join(", ")} at ${location}, asked by ${caller}`);
    return kvFault(met, (key, write) => delay(location, key, write, operations++));
  };
  return kv;
}

/** Most writes show soon, many late, some very late. */
function delayOf(share: number): number {
  if (share < 0.3) return 0;
  return share < 0.7 ? PROPAGATION * (share - 0.3) : PROPAGATION * (share - 0.7) * (1 / 0.3);
}

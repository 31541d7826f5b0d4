/** What `ROLLCALL_KV_WRITES` allows single changes, from the code that paces them. */
import { kvBudget } from "../../src/registry/kv/kv-budget.ts";
import { tableOf } from "../../testing/markdown.ts";
import { SECONDS_PER_MONTH } from "./assumptions.ts";
import { dollars, whole } from "./format.ts";
import { PRICES } from "./prices.ts";

/** Writes a change takes: its shard, and the manifest. */
const EACH = 2;
/** Rows: what the free plan includes, and more. */
const WRITES = [PRICES.kvWrites.free, 20_000, 100_000, 1_000_000];

export const pacingTable = (): string =>
  tableOf(WRITES, [
    [
      "`ROLLCALL_KV_WRITES`",
      (writes) => `${whole(writes)}${writes === PRICES.kvWrites.free ? " (default)" : ""}`,
    ],
    ["copied at once", (writes) => `${whole(Math.floor(kvBudget(writes, 1).burst / EACH))} changes`],
    ["then one copy in", (writes) => duration(EACH * kvBudget(writes, 1).interval)],
    ["beyond what is included, a month at most", (writes) => dollars(costOf(writes))],
  ]);

const duration = (ms: number): string =>
  ms < 60_000 ? `${(ms / 1_000).toPrecision(2)} s` : `${(ms / 60_000).toPrecision(2)} minutes`;

/** Copies of single changes all month, as fast as they may be. */
function costOf(writes: number): number {
  const { included, each } = PRICES.kvWrites;
  return Math.max(0, SECONDS_PER_MONTH / (kvBudget(writes, 1).interval / 1_000) - included) * each;
}

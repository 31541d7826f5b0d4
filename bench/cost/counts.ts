/** What the benchmark counted, as far as the cost model rests on it. */
import { existsSync, readFileSync } from "node:fs";
import { shardBitsFor } from "../../src/directory/index.ts";
import type { Measurement } from "../report/measurement.ts";
import { fromJson } from "../report/results.ts";
import { MANY_ISOLATES } from "./assumptions.ts";
import { tableOf } from "./format.ts";

/** Shards of the benchmark's list of a million. */
const SHARDS = 2 ** shardBitsFor(1_000_000);
const CHECKS = "checks.post.known";
/** The figure behind it that says how many checks one isolate answers in a second. */
const RATE = "checks a second";
const [ONE_READ, TWO_READS] = ["cold.known.small.reads", "cold.known.large.reads"];

/** @param from ids of measurements @param of what the count is of their values; else the only one */
const count = (
  what: string,
  from: readonly string[],
  of = (...values: number[]): number => values[0] ?? 0,
) => ({ what, from, of });
/** What was counted beside what is known. */
const beside =
  (known: number) =>
  (all = 0): number =>
    Math.max(0, all - known);

const COUNTS = {
  bytesPerMailbox: count("KV octets a mailbox", ["storage.bytes-per-mailbox.1m"]),
  // One isolate runs on one thread, so the time of a check is the most CPU that it takes.
  cpuMsPerCheck: count("CPU of a check in memory, ms, at most", [CHECKS], (rate = 0) => 1000 / rate),
  readsPerManifest: count("KV reads for a manifest", [ONE_READ]),
  readsPerShard: count("KV reads for a shard", [TWO_READS, ONE_READ], (two = 0, one = 0) => two - one),
  // A look for offline exports.
  readsPerStart: count(
    "further KV reads of a cold isolate",
    ["reads.unknown-names.1m", TWO_READS, ONE_READ],
    (all = 0, two = 0, one = 0) => beside(one + SHARDS * (two - one))(all),
  ),
  callsPerStart: count("Registry calls of a cold isolate", ["cold.unknown.large.calls"]),
  writesPerFirstPublication: count(
    "KV writes of a first publication beside manifest and shards",
    ["publish.kv-writes.1m"],
    beside(1 + SHARDS),
  ),
  writesPerPublish: count(
    "KV writes of a publish beside manifest and changed shards",
    ["publish.kv-writes.one-change"],
    beside(2),
  ),
  rowsPerDay: count("Registry rows written a day with nothing to do", ["rows.day"]),
  rowsPerMinute: count("Registry rows written a minute in which isolates ask", ["rows.minute"]),
  rowsPerPublish: count("Registry rows written by a publish, for each of its domains", ["rows.publish"]),
  rowsPerShard: count("Registry rows written for each shard that is replaced", ["rows.shard"]),
};

/** Counts of single operations. */
export type Counts = { readonly [Name in keyof typeof COUNTS]: number };

/** Ids of the measurements that the counts come from. */
export const NEEDED = [...new Set(Object.values(COUNTS).flatMap(({ from }) => from))];

/** Reads the benchmark's results. @throws Error that says which measurement is missing and what to run */
export function readCounts(file: string): Counts {
  if (!existsSync(file)) throw new Error(`no results at ${file}: run the benchmark first, \`npm run bench\``);
  const { measurements, extent } = fromJson(readFileSync(file, "utf8"));
  if (!extent.isQuick) return countsFrom(measurements, file);
  throw new Error(`${file} is of a quick run: run the whole benchmark, \`npm run bench\``);
}

/** @param source where the measurements come from, for errors */
export function countsFrom(measurements: readonly Measurement[], source: string): Counts {
  const figureOf = (id: string): number => {
    const found = measurements.find((each) => each.id === id);
    const value = id === CHECKS ? found?.detail?.[RATE] : found?.value;
    if (value !== undefined && Number.isFinite(value) && Number.isFinite(found?.value)) return value;
    const what = found !== undefined && id === CHECKS ? ` with "${RATE}" in its detail` : "";
    throw new Error(`${source} has no measurement ${id}${what}: run the whole benchmark, \`npm run bench\``);
  };
  const all = Object.entries(COUNTS).map(
    ([name, { from, of }]) => [name, of(...from.map(figureOf))] as const,
  );
  const counts = Object.fromEntries(all) as Counts;
  if (counts.readsPerShard > 0) return counts;
  throw new Error(`${source}: ${TWO_READS} must be more than ${ONE_READ}: it reads a shard too`);
}

export function countsTable(counts: Counts): string {
  const rows = Object.entries(COUNTS).map(([name, { what, from }]) => ({
    what,
    from,
    value: counts[name as keyof Counts],
  }));
  const value = MANY_ISOLATES.cacheBytes / counts.bytesPerMailbox / 1e6;
  const { from } = COUNTS.bytesPerMailbox;
  return tableOf(rows.toSpliced(1, 0, { what: "mailboxes that an isolate holds, millions", from, value }), [
    ["what one operation takes", ({ what }) => what],
    ["measured", ({ value }) => Number(value.toPrecision(3)).toString()],
    ["from", ({ from }) => from.map((id) => `\`${id}\``).join(", ")],
  ]);
}

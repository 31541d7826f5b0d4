/** What the benchmark counted, as far as the cost model rests on it. */
import { existsSync, readFileSync } from "node:fs";
import { shardBitsFor } from "../../src/directory/index.ts";
import { tableOf } from "../../testing/markdown.ts";
import type { Measurement } from "../report/measurement.ts";
import { fromJson } from "../report/results.ts";
import { MANY_ISOLATES } from "./assumptions.ts";

/** Shards of the benchmark's list of a million. */
const SHARDS = 2 ** shardBitsFor(1_000_000);
/** Measured as a ratio; the figure behind it says how many checks one isolate answers in a second. */
const CHECKS = "checks.post.known";
const RATE = "checks a second";
const [ONE_READ, TWO_READS] = ["cold.known.small.reads", "cold.known.large.reads"] as const;

/** A sum of measurements, each by its id and how often it is taken, less what is known of it. */
const count = (what: string, of: Readonly<Record<string, number>>, known = 0) => ({ what, of, known });

const COUNTS = {
  bytesPerMailbox: count("KV octets a mailbox", { "storage.bytes-per-mailbox.1m": 1 }),
  // One isolate runs on one thread, so the time of a check is the most CPU that it takes.
  cpuMsPerCheck: count("CPU of a check in memory, ms, at most", { [CHECKS]: 1 }),
  readsPerManifest: count("KV reads for a manifest", { [ONE_READ]: 1 }),
  readsPerShard: count("KV reads for a shard", { [TWO_READS]: 1, [ONE_READ]: -1 }),
  callsPerStart: count("Registry calls of a cold isolate", { "cold.unknown.large.calls": 1 }),
  writesPerFirstPublication: count(
    "KV writes of a first publication beside manifest and shards",
    { "publish.kv-writes.1m": 1 },
    1 + SHARDS,
  ),
  writesPerPublish: count(
    "KV writes of a publish beside manifest and changed shards",
    { "publish.kv-writes.one-change": 1 },
    2,
  ),
  rowsPerDay: count("Registry rows written a day with nothing to do", { "rows.day": 1 }),
  rowsPerMinute: count("Registry rows written a minute in which isolates ask", { "rows.minute": 1 }),
  rowsPerPublish: count("Registry rows written by a publish, for each of its domains", { "rows.publish": 1 }),
  rowsPerShard: count("Registry rows written for each shard that is replaced", { "rows.shard": 1 }),
};

/** Counts of single operations. */
export type Counts = { readonly [Name in keyof typeof COUNTS]: number };

/** Ids of the measurements that the counts come from. */
export const NEEDED = [...new Set(Object.values(COUNTS).flatMap(({ of }) => Object.keys(of)))];

/** Reads the benchmark's results. @throws Error that says which measurement is missing and what to run */
export function readCounts(file: string): Counts {
  if (!existsSync(file)) throw new Error(`no results at ${file}: run the benchmark first, \`npm run bench\``);
  const { measurements, extent } = fromJson(readFileSync(file, "utf8"));
  if (!extent.isQuick) return countsFrom(measurements, file);
  throw new Error(`${file} is of a quick run: run the whole benchmark, \`npm run bench\``);
}

/** @param source where the measurements come from, for errors */
export function countsFrom(measurements: readonly Measurement[], source: string): Counts {
  const valueFrom = (id: string): number => {
    const found = measurements.find((each) => each.id === id);
    const value = id === CHECKS ? 1000 / (found?.detail?.[RATE] ?? Number.NaN) : found?.value;
    if (value !== undefined && Number.isFinite(value) && Number.isFinite(found?.value)) return value;
    const what = found !== undefined && id === CHECKS ? ` with "${RATE}" in its detail` : "";
    throw new Error(`${source} has no measurement ${id}${what}: run the whole benchmark, \`npm run bench\``);
  };
  const sum = (of: Readonly<Record<string, number>>): number =>
    Object.entries(of).reduce((all, [id, times]) => all + times * valueFrom(id), 0);
  const all = Object.entries(COUNTS).map(([name, { of, known }]) => [name, Math.max(0, sum(of) - known)]);
  const counts = Object.fromEntries(all) as Counts;
  if (counts.readsPerShard > 0) return counts;
  throw new Error(`${source}: ${TWO_READS} must be more than ${ONE_READ}: it reads a shard too`);
}

export function countsTable(counts: Counts): string {
  const rows = Object.entries(COUNTS).map(([name, it]) => ({ ...it, value: counts[name as keyof Counts] }));
  const held = MANY_ISOLATES.cacheBytes / counts.bytesPerMailbox / 1e6;
  const what = "mailboxes that an isolate holds, millions";
  return tableOf(rows.toSpliced(1, 0, { ...COUNTS.bytesPerMailbox, what, value: held }), [
    ["what one operation takes", (row) => row.what],
    ["measured", ({ value }) => Number(value.toPrecision(3)).toString()],
    [
      "from",
      ({ of }) =>
        Object.keys(of)
          .map((id) => `\`${id}\``)
          .join(", "),
    ],
  ]);
}

/** What the benchmark counted, as far as the cost model rests on it. */
import { existsSync, readFileSync } from "node:fs";
import { shardBitsFor } from "../../src/directory/index.ts";
import type { Measurement } from "../report/measurement.ts";
import { fromJson } from "../report/results.ts";
import { MANY_ISOLATES } from "./assumptions.ts";
import { tableOf } from "./format.ts";

/** Ids of the measurements that the counts come from; those that end in `1m` are of a million mailboxes. */
export const NEEDED = {
  bytesPerMailbox: "storage.bytes-per-mailbox.1m",
  firstWrites: "publish.kv-writes.1m",
  changeWrites: "publish.kv-writes.one-change",
  readsOfUnknown: "reads.unknown-names.1m",
  coldSmall: "cold.known.small.reads",
  coldLarge: "cold.known.large.reads",
  coldCalls: "cold.unknown.large.calls",
  checks: "checks.post.known",
  rowsPerDay: "rows.day",
  rowsPerMinute: "rows.minute",
  rowsPerPublish: "rows.publish",
  rowsPerShard: "rows.shard",
} as const;
type Needed = keyof typeof NEEDED;

const SHARDS = 2 ** shardBitsFor(1_000_000);
/** Figure behind `checks.post.known` that says how many checks one isolate answers in a second. */
const RATE = "checks a second";

/** Reads the benchmark's results. @throws Error that says which measurement is missing and what to run */
export function readCounts(file: string): Counts {
  if (!existsSync(file)) throw new Error(`no results at ${file}: run the benchmark first, \`npm run bench\``);
  const { measurements, extent } = fromJson(readFileSync(file, "utf8"));
  if (!extent.isQuick) return countsFrom(measurements, file);
  throw new Error(`${file} is of a quick run: run the whole benchmark, \`npm run bench\``);
}

/** @param source where the measurements come from, for errors */
export function countsFrom(measurements: readonly Measurement[], source: string) {
  const find = (name: Needed): Measurement => {
    const found = measurements.find(({ id }) => id === NEEDED[name]);
    if (found !== undefined && Number.isFinite(found.value)) return found;
    throw new Error(
      `${source} has no measurement ${NEEDED[name]}: run the whole benchmark, \`npm run bench\``,
    );
  };
  /** What was counted beside what is known. */
  const beside = (name: Needed, known: number): number => Math.max(0, find(name).value - known);
  const rate = find("checks").detail?.[RATE] ?? 0;
  if (!(rate > 0))
    throw new Error(`${source}: measurement ${NEEDED.checks} does not say "${RATE}" in its detail`);
  const readsPerManifest = find("coldSmall").value;
  const readsPerShard = find("coldLarge").value - readsPerManifest;
  if (!(readsPerShard > 0))
    throw new Error(
      `${source}: ${NEEDED.coldLarge} must be more than ${NEEDED.coldSmall}: it reads a shard too`,
    );
  return {
    bytesPerMailbox: find("bytesPerMailbox").value,
    /** One isolate runs on one thread, so the time of a check is the most CPU that it takes. */
    cpuMsPerCheck: 1000 / rate,
    readsPerManifest,
    readsPerShard,
    /** A look for offline exports. */
    readsPerStart: beside("readsOfUnknown", readsPerManifest + SHARDS * readsPerShard),
    callsPerStart: find("coldCalls").value,
    writesPerBeginning: beside("firstWrites", 1 + SHARDS),
    writesPerPublish: beside("changeWrites", 2),
    rowsPerDay: find("rowsPerDay").value,
    rowsPerMinute: find("rowsPerMinute").value,
    rowsPerPublish: find("rowsPerPublish").value,
    rowsPerShard: find("rowsPerShard").value,
  };
}
/** Counts of single operations; {@link countsTable} says what each is. */
export type Counts = ReturnType<typeof countsFrom>;

export function countsTable(counts: Counts): string {
  const held = MANY_ISOLATES.cacheBytes / counts.bytesPerMailbox / 1e6;
  const rows: readonly (readonly [what: string, value: number, ...from: Needed[]])[] = [
    ["KV octets a mailbox", counts.bytesPerMailbox, "bytesPerMailbox"],
    ["mailboxes that an isolate holds, millions", held, "bytesPerMailbox"],
    ["CPU of a check in memory, ms, at most", counts.cpuMsPerCheck, "checks"],
    ["KV reads for a manifest", counts.readsPerManifest, "coldSmall"],
    ["KV reads for a shard", counts.readsPerShard, "coldLarge", "coldSmall"],
    ["further KV reads of a cold isolate", counts.readsPerStart, "readsOfUnknown"],
    ["Registry calls of a cold isolate", counts.callsPerStart, "coldCalls"],
    ["KV writes of a first publication beside manifest and shards", counts.writesPerBeginning, "firstWrites"],
    ["KV writes of a publish beside manifest and changed shards", counts.writesPerPublish, "changeWrites"],
    ["Registry rows written a day with nothing to do", counts.rowsPerDay, "rowsPerDay"],
    ["Registry rows written a minute in which isolates ask", counts.rowsPerMinute, "rowsPerMinute"],
    ["Registry rows written by a publish, for each of its domains", counts.rowsPerPublish, "rowsPerPublish"],
    ["Registry rows written for each shard that is replaced", counts.rowsPerShard, "rowsPerShard"],
  ];
  return tableOf(rows, [
    ["what one operation takes", ([what]) => what],
    ["measured", ([, value]) => Number(value.toPrecision(3)).toString()],
    ["from", ([, , ...from]) => from.map((name) => `\`${NEEDED[name]}\``).join(", ")],
  ]);
}

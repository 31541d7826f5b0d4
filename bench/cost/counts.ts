/** What the benchmark counted, as far as the cost model rests on it. */
import { readFileSync } from "node:fs";
import { shardBitsFor } from "../../src/directory/index.ts";
import type { Measurement } from "../report/measurement.ts";
import { fromJson } from "../report/results.ts";

/** Mailboxes of the benchmark's list behind the ids that end in `1m`. */
const MEASURED_MAILBOXES = 1_000_000;

/** Counts of single operations. */
export interface Counts {
  /** Octets a mailbox takes in KV. */
  readonly bytesPerMailbox: number;
  /** CPU of one check in memory, milliseconds: one isolate runs on one thread, so it is what a check takes at most. */
  readonly cpuMsPerCheck: number;
  /** KV reads by which a cold isolate gets a domain's manifest. */
  readonly readsPerManifest: number;
  /** KV reads for each shard beside that. */
  readonly readsPerShard: number;
  /** KV reads of a cold isolate that are neither: a look for offline exports. */
  readonly readsPerStart: number;
  /** Registry calls that a cold isolate waits for. */
  readonly callsPerStart: number;
  /** KV writes of a first publication beside manifest and shards. */
  readonly writesPerBeginning: number;
  /** KV writes of a publish beside the manifest and the shards that changed. */
  readonly writesPerPublish: number;
}

/** Ids of the measurements that {@link countsFrom} needs. */
export const NEEDED = {
  bytesPerMailbox: "storage.bytes-per-mailbox.1m",
  firstWrites: "publish.kv-writes.1m",
  changeWrites: "publish.kv-writes.one-change",
  readsOfUnknown: "reads.unknown-names.1m",
  coldSmall: "cold.known.small.reads",
  coldLarge: "cold.known.large.reads",
  coldCalls: "cold.unknown.large.calls",
  checks: "checks.post.known",
} as const;

/** Figure behind `checks.post.known` that says how many checks one isolate answers in a second. */
const RATE = "checks a second";

/**
 * Reads the benchmark's results.
 * @throws Error that says which measurement is missing and what to run
 */
export function readCounts(file: string): Counts {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`no results at ${file}: run the benchmark first, \`npm run bench\``, { cause: error });
  }
  const { measurements, extent } = fromJson(text);
  if (extent.isQuick)
    throw new Error(`${file} is of a quick run: run the whole benchmark, \`npm run bench\``);
  return countsFrom(measurements, file);
}

/** @param source where the measurements come from, for errors */
export function countsFrom(measurements: readonly Measurement[], source: string): Counts {
  const find = (id: string): Measurement => {
    const found = measurements.find((each) => each.id === id);
    if (found === undefined || !Number.isFinite(found.value)) {
      throw new Error(`${source} has no measurement ${id}: run the whole benchmark, \`npm run bench\``);
    }
    return found;
  };
  const value = (id: string): number => find(id).value;
  const rate = find(NEEDED.checks).detail?.[RATE];
  if (rate === undefined || !(rate > 0)) {
    throw new Error(`${source}: measurement ${NEEDED.checks} does not say "${RATE}" in its detail`);
  }
  const shards = 2 ** shardBitsFor(MEASURED_MAILBOXES);
  const readsPerManifest = value(NEEDED.coldSmall);
  const readsPerShard = value(NEEDED.coldLarge) - readsPerManifest;
  if (!(readsPerShard > 0)) {
    throw new Error(
      `${source}: ${NEEDED.coldLarge} is no more than ${NEEDED.coldSmall}, and a shard is read beside`,
    );
  }
  return {
    bytesPerMailbox: value(NEEDED.bytesPerMailbox),
    cpuMsPerCheck: 1000 / rate,
    readsPerManifest,
    readsPerShard,
    readsPerStart: beside(value(NEEDED.readsOfUnknown), readsPerManifest + shards * readsPerShard),
    callsPerStart: value(NEEDED.coldCalls),
    writesPerBeginning: beside(value(NEEDED.firstWrites), 1 + shards),
    writesPerPublish: beside(value(NEEDED.changeWrites), 2),
  };
}

const beside = (all: number, known: number): number => Math.max(0, all - known);

import type { Counts } from "../../bench/cost/counts.ts";

/** Round numbers, so that what follows from them can be done by hand. */
export const ROUND: Counts = {
  bytesPerMailbox: 5,
  cpuMsPerCheck: 0.1,
  readsPerManifest: 1,
  readsPerShard: 1,
  callsPerStart: 1,
  writesPerFirstPublication: 1,
  writesPerPublish: 1,
  rowsPerDay: 200,
  rowsPerMinute: 1,
  rowsPerPublish: 40,
  rowsPerShard: 20,
};

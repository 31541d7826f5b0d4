import type { Measurement } from "../../bench/report/measurement.ts";
import type { Results } from "../../bench/report/results.ts";

export const met: Measurement = {
  id: "checks.post.hot",
  what: "POST, hot names, against bare",
  value: 0.9,
  unit: "x",
  lowest: 0.88,
  highest: 0.93,
  bar: { kind: "at least", value: 0.85, aim: 0.92 },
  detail: { "checks a second": 15_000 },
};

export const missed: Measurement = {
  id: "batch.post.known",
  what: "POST of 1,000 & <more>",
  value: 20,
  unit: "x",
  bar: { kind: "at least", value: 40 },
};

export const shown: Measurement = {
  id: "cold.known.small.p50.30ms",
  what: "cold check",
  value: 34.56,
  unit: "ms",
};

export const small: Measurement = {
  id: "storage.bytes-per-mailbox.1m",
  what: "bytes a mailbox | in KV",
  value: 5.07,
  unit: "bytes",
  bar: { kind: "at most", value: 5.3 },
};

export const results: Results = {
  date: "2026-11-24T12:00:00.000Z",
  machine: {
    cpu: "A Processor",
    cores: 2,
    memoryBytes: 8e9,
    system: "Linux 6.1",
    node: "24.0.0",
    workerd: "1.0.0",
    wrk: null,
  },
  extent: { isQuick: false, rounds: 5, seconds: 2 },
  took: { checks: 12 },
  measurements: [met, missed, shown, small],
  skipped: [{ suite: "postfix", why: "needs the Debian package postfix" }],
  broken: [],
};

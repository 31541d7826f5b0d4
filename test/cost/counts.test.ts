import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { countsFrom, NEEDED, readCounts } from "../../bench/cost/counts.ts";
import type { Measurement } from "../../bench/report/measurement.ts";
import { ROUND } from "./counts.ts";

const FIXTURE = join(import.meta.dirname, "fixture/results.json");
const { measurements } = JSON.parse(readFileSync(FIXTURE, "utf8")) as { measurements: Measurement[] };

describe("counts", () => {
  it("come out of the benchmark's results", () => {
    expect(readCounts(FIXTURE)).toEqual({ ...ROUND, bytesPerMailbox: 5.1 });
  });

  it.each(NEEDED)("fail if %s is missing", (id) => {
    const rest = measurements.filter((each) => each.id !== id);
    expect(() => countsFrom(rest, "results.json")).toThrow(`results.json has no measurement ${id}`);
    const broken = measurements.map((each) => (each.id === id ? { ...each, value: Number.NaN } : each));
    expect(() => countsFrom(broken, "results.json")).toThrow(id);
  });

  it("fail if a shard seems to cost no read", () => {
    const odd = measurements.map((each) =>
      each.id === "cold.known.small.reads" ? { ...each, value: 2 } : each,
    );
    expect(() => countsFrom(odd, "results.json")).toThrow(/cold\.known\.large\.reads must be more than/);
  });

  it("fail if the rate is missing", () => {
    const bare = measurements.map(({ detail: _, ...each }) => each);
    expect(() => countsFrom(bare, "results.json")).toThrow(/checks\.post\.known.*checks a second/);
  });

  it("are not taken from a quick run, nor from another file", () => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-cost-"));
    try {
      const file = join(folder, "results.json");
      const results = JSON.parse(readFileSync(FIXTURE, "utf8")) as { extent: object };
      writeFileSync(file, JSON.stringify({ ...results, extent: { ...results.extent, isQuick: true } }));
      expect(() => readCounts(file)).toThrow(/quick run/);
      writeFileSync(file, JSON.stringify({ measurements: {} }));
      expect(() => readCounts(file)).toThrow(/not a result of the benchmark/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("say where the results should be", () => {
    expect(() => readCounts("/nowhere/results.json")).toThrow(
      /no results at \/nowhere\/results\.json.*npm run bench/,
    );
  });
});

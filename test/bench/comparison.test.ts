import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compare, comparisonOf } from "../../bench/report/comparison.ts";
import type { Measurement } from "../../bench/report/measurement.ts";
import { fromJson, toJson } from "../../bench/report/results.ts";
import { met, results, small } from "./support.ts";

const isWorse = (before: Measurement, after: Measurement) =>
  compare([before], [after]).map((it) => it.isWorse);
const COUNT: Measurement = { id: "reads", what: "reads", value: 129, unit: "count" };

describe("two runs side by side", () => {
  it("marks a ratio that fell by more than the spread of either run", () => {
    // Rounds of the first run are 0.05 apart.
    expect(isWorse(met, { ...met, value: 0.86 })).toEqual([false]);
    expect(isWorse(met, { ...met, value: 0.84 })).toEqual([true]);
    expect(isWorse(met, { ...met, value: 0.84, lowest: 0.8, highest: 0.9 })).toEqual([false]);
    expect(isWorse(met, { ...met, value: 2 })).toEqual([false]);
  });

  it("knows which way is better", () => {
    expect(isWorse(small, { ...small, value: 6 })).toEqual([true]);
    expect(isWorse(small, { ...small, value: 5.1 })).toEqual([false]);
    const { bar: _, ...shown } = small;
    expect(isWorse(shown, { ...shown, value: 6 })).toEqual([true]);
    expect(isWorse({ ...shown, unit: "/s" }, { ...shown, unit: "/s", value: 4 })).toEqual([true]);
  });

  it("expects a count to repeat exactly", () => {
    expect(isWorse(COUNT, COUNT)).toEqual([false]);
    expect(isWorse(COUNT, { ...COUNT, value: 130 })).toEqual([true]);
  });

  it("reads the time of a check in a batch from results of before it was measured", () => {
    const before = { ...met, id: "batch.post.known", detail: { "checks a second": 500_000 } };
    const micros = { ...COUNT, id: "batch.micros", unit: "µs" } as const;
    expect(compare([before], [{ ...micros, value: 1.9 }])).toMatchObject([
      { before: { value: 2 }, isWorse: false },
    ]);
    expect(isWorse(before, { ...micros, value: 2.2 })).toEqual([true]);
  });

  it("names what only one run has", () => {
    const text = comparisonOf([met, COUNT], [met, small]);
    expect(text).toContain("| 0.90 x (0.88 x to 0.93 x) | 0.90 x (0.88 x to 0.93 x) | 0.0 % |");
    expect(text).toContain("0 of 1 are worse by more than the spread of their rounds.");
    expect(text).toContain("Only before: reads: 129 (reads)");
    expect(text).toContain("Only after: bytes a mailbox | in KV: 5.07 B (storage.bytes-per-mailbox.1m)");
  });

  it("is a command that fails if anything is worse, and reads the recorded results", async () => {
    const recorded = fromJson(readFileSync("docs/performance/results.json", "utf8"));
    expect(compare(recorded.measurements, recorded.measurements)).toHaveLength(recorded.measurements.length);
    const folder = mkdtempSync(join(tmpdir(), "rollcall-compare-"));
    const files = { good: results, bad: { ...results, measurements: [{ ...met, value: 0.1 }] } };
    for (const [name, run] of Object.entries(files)) writeFileSync(join(folder, name), toJson(run));
    const run = (...names: string[]) =>
      new Promise<number>((resolve) => {
        const paths = names.map((name) => join(folder, name));
        const child = execFile(process.execPath, ["bench/compare.ts", ...paths], () =>
          resolve(child.exitCode ?? -1),
        );
      });
    try {
      expect([await run("good", "good"), await run("good", "bad"), await run("good")]).toEqual([0, 1, 1]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

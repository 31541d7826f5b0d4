import { describe, expect, it } from "vitest";
import { merge } from "../../bench/report/merge.ts";
import type { Results } from "../../bench/report/results.ts";
import { markdown } from "../../bench/report/table.ts";
import { met, missed, results, shown, small } from "./support.ts";

const ORDER = ["checks", "batch", "cold", "storage", "postfix"];
const better = { ...missed, value: 45 };
const run: Results = {
  ...results,
  date: "2026-11-25T09:30:15.000Z",
  extent: { isQuick: false, rounds: 3, seconds: 1 },
  took: { batch: 7 },
  measurements: [better, { ...better, id: "batch.micros" }],
  skipped: [],
};

describe("a run of some suites", () => {
  const merged = merge(results, run, ORDER);

  it("replaces these suites in the recorded results, and leaves the others", () => {
    expect(merged.measurements.map(({ id }) => id)).toEqual([
      met.id,
      "batch.post.known",
      "batch.micros",
      shown.id,
      small.id,
    ]);
    expect(merged.measurements[1]?.value).toBe(45);
    expect(merged.took).toEqual({ checks: 12, batch: 7 });
    expect(merged.date).toBe(results.date);
  });

  it("is told from the others in the table, by its date and its rounds", () => {
    expect(markdown(merged)).toContain(
      "### batch\n\nMeasured later, 2026-11-25T09:30Z; 3 rounds of 1 s.\n\n| what",
    );
    expect(markdown(merged).match(/Measured later/g)).toHaveLength(1);
  });

  it("may be of another machine of the same kind, and says so", () => {
    const { machine } = run;
    const other = { ...machine, system: "Linux 7.0", memoryBytes: machine.memoryBytes - 4096 };
    expect(markdown(merge(results, { ...run, machine: other }, ORDER))).toContain(
      "Measured later, 2026-11-25T09:30Z, Linux 7.0; 3 rounds of 1 s.",
    );
  });

  it("can measure what was not measured before", () => {
    const measured = { ...shown, id: "postfix.one.hot" };
    const added = merge(results, { ...run, took: { postfix: 3 }, measurements: [measured] }, ORDER);
    expect(added.measurements.at(-1)).toEqual(measured);
    expect(added.skipped).toEqual([]);
  });

  it.each<[string, Partial<Results>, string]>([
    ["was quick", { extent: { ...run.extent, isQuick: true } }, "too short"],
    ["is of another processor", { machine: { ...run.machine, cores: 64 } }, "of another kind of machine"],
    ["is of another Node", { machine: { ...run.machine, node: "20.19.0" } }, "of another kind of machine"],
    ["has less memory", { machine: { ...run.machine, memoryBytes: 1e9 } }, "of another kind of machine"],
    [
      "lacks a package",
      { skipped: [{ suite: "batch", why: "needs wrk" }] },
      "batch was not measured (needs wrk)",
    ],
    [
      "broke",
      { broken: [{ suite: "batch", why: "a wrong answer" }] },
      "batch was not measured (a wrong answer)",
    ],
  ])("is not recorded if it %s", (_, change, why) => {
    expect(() => merge(results, { ...run, ...change }, ORDER)).toThrow(why);
  });
});

/* What is counted between two questions, and how much of it is kept apart. */
import { describe, expect, it } from "vitest";
import type { Count } from "../../src/api/index.ts";
import { type Answer, answer, VERDICTS, type Verdict } from "../../src/directory/index.ts";
import { Tally } from "../../src/reader/index.ts";

const saying = (verdict: Verdict, mode: Answer["mode"] = "enforce"): Answer => ({
  ...answer("someone@example.com", verdict, {}),
  mode,
});

const sorted = (counts: readonly Count[] | undefined): Count[] => [...(counts ?? [])].sort();

describe("a tally", () => {
  it("has nothing to take before anything is counted, and after it was taken", () => {
    const tally = new Tally();
    expect(tally.take()).toBeUndefined();
    tally.countAnswer(saying("unknown"), "example.com");
    expect(tally.take()).toHaveLength(1);
    expect(tally.take()).toBeUndefined();
    tally.countFault("kv_unreadable", null);
    expect(tally.take()).toHaveLength(1);
    expect(tally.take()).toBeUndefined();
  });

  it("counts every verdict in every mode by itself", () => {
    const tally = new Tally();
    const expected: Count[] = [];
    for (const [i, verdict] of (Object.keys(VERDICTS) as Verdict[]).entries()) {
      for (const [k, mode] of (["enforce", "observe", "defer", null] as const).entries()) {
        const times = 1 + i * 4 + k;
        for (let n = 0; n < times; n++) tally.countAnswer(saying(verdict, mode), "example.com");
        expected.push(["example.com", mode ?? "", verdict, times]);
      }
    }
    expect(sorted(tally.take())).toEqual(sorted(expected));
  });

  it("starts from zero after it was taken", () => {
    const tally = new Tally();
    for (let n = 0; n < 2; n++) tally.countAnswer(saying("full"), "example.com");
    tally.countFault("kv_unreadable", "example.com");
    tally.take();
    tally.countAnswer(saying("full"), "example.com");
    tally.countFault("kv_unreadable", "example.com");
    expect(sorted(tally.take())).toEqual(
      sorted([
        ["example.com", "enforce", "full", 1],
        ["example.com", "fault", "kv_unreadable", 1],
      ]),
    );
  });

  it("counts answers about domains without a list together", () => {
    const tally = new Tally();
    for (let n = 0; n < 3; n++) tally.countAnswer(saying("not-served", null), null);
    expect(tally.take()).toEqual([["", "", "not-served", 3]]);
  });

  it("counts 64 domains apart, and the others with those without a list", () => {
    const tally = new Tally();
    for (let n = 0; n < 66; n++) tally.countAnswer(saying("unknown"), `d${n}.example`);
    for (let n = 0; n < 66; n++) tally.countAnswer(saying("unknown"), `d${n}.example`);
    tally.countAnswer(saying("unknown"), null);
    const counts = tally.take() ?? [];
    expect(counts).toHaveLength(65);
    expect(counts.filter(([domain]) => domain !== "").every(([, , , count]) => count === 2)).toBe(true);
    expect(counts.find(([domain]) => domain === "")).toEqual(["", "enforce", "unknown", 5]);
    expect(counts.map(([domain]) => domain)).toContain("d63.example");
  });

  it("keeps the place of domains without a list when 64 others have one", () => {
    const tally = new Tally();
    for (let n = 0; n < 64; n++) tally.countAnswer(saying("unknown"), `d${n}.example`);
    tally.countAnswer(saying("not-served", null), null);
    tally.countAnswer(saying("unknown"), "late.example");
    expect((tally.take() ?? []).filter(([domain]) => domain === "")).toEqual([
      ["", "enforce", "unknown", 1],
      ["", "", "not-served", 1],
    ]);
  });

  it("counts faults by kind and domain", () => {
    const tally = new Tally();
    tally.countFault("kv_unreadable", null);
    tally.countFault("kv_unreadable", "example.com");
    tally.countFault("kv_unreadable", "example.com");
    tally.countFault("damaged_manifest", "example.com");
    expect(sorted(tally.take())).toEqual(
      sorted([
        ["", "fault", "kv_unreadable", 1],
        ["example.com", "fault", "damaged_manifest", 1],
        ["example.com", "fault", "kv_unreadable", 2],
      ]),
    );
  });

  it("counts 64 faults apart, and the others without their domain", () => {
    const tally = new Tally();
    for (let n = 0; n < 66; n++) tally.countFault("damaged_manifest", `d${n}.example`);
    tally.countFault("damaged_manifest", "d0.example");
    const counts = tally.take() ?? [];
    expect(counts).toHaveLength(65);
    expect(counts.find(([domain]) => domain === "")).toEqual(["", "fault", "damaged_manifest", 2]);
    expect(counts.find(([domain]) => domain === "d0.example")?.[3]).toBe(2);
    expect(counts.map(([domain]) => domain)).toContain("d63.example");
  });
});

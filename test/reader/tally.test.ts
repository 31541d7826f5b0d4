/* What is counted between two questions, and how much of it is kept apart. */
import { describe, expect, it } from "vitest";
import type { Count } from "../../src/api/index.ts";
import {
  type Answer,
  answer,
  estimate,
  fingerprint,
  fromBase64Url,
  mergePackedSketch,
  newSketch,
  VERDICTS,
  type Verdict,
} from "../../src/directory/index.ts";
import { type AskedName, Tally } from "../../src/reader/index.ts";
import { KEY } from "../directory/helpers.ts";

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

describe("names that a tally counts", () => {
  const named = (name: string, until: number, domain = "example.com"): AskedName => ({
    domain,
    until,
    name: fingerprint(KEY.names, name),
  });
  const taken = (tally: Tally): [domain: string, until: number, names: number][] =>
    (tally.takeAsked() ?? []).map(([domain, until, text]) => {
      const sketch = newSketch();
      mergePackedSketch(sketch, fromBase64Url(text));
      return [domain, until, estimate(sketch)];
    });

  it("are none before one is counted, and after they were taken, whatever else is", () => {
    const tally = new Tally();
    tally.countNames([]);
    tally.countNames(undefined);
    tally.countAnswer(saying("unknown"), "example.com");
    expect(tally.takeAsked()).toBeUndefined();
    tally.countNames([named("alice", 0)]);
    tally.take();
    expect(taken(tally)).toEqual([["example.com", 0, 1]]);
    expect(tally.takeAsked()).toBeUndefined();
    tally.countNames([named("bob", 7)]);
    expect(taken(tally)).toEqual([["example.com", 7, 1]]);
    expect(tally.takeAsked()).toBeUndefined();
  });

  it("are distinct ones, by domain and the second until which they are deferred", () => {
    const tally = new Tally();
    for (let n = 0; n < 3; n++) {
      tally.countNames([named("alice", 0), named("alice", 7), named("alice", 7, "other.example")]);
      tally.countNames([named("bob", 7)]);
      tally.countNames([named("carol", 8)]);
    }
    expect(taken(tally)).toEqual([
      ["example.com", 7, 2],
      ["other.example", 7, 1],
      ["example.com", 8, 1],
      ["example.com", 0, 1],
    ]);
  });

  it("have 64 sketches of each kind; those of more are not counted, and others go on", () => {
    const tally = new Tally();
    for (let n = 1; n <= 70; n++) tally.countNames([named("alice", n), named("alice", 0, `d${n}.example`)]);
    tally.countNames([named("bob", 64), named("bob", 65), named("bob", 0, "d64.example")]);
    tally.countNames([named("bob", 0, "d65.example")]);
    const all = taken(tally);
    const left = all.filter(([, until]) => until > 0);
    expect(left.map(([, until]) => until)).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
    const refused = all.filter(([, until]) => until === 0);
    expect(refused.map(([domain]) => domain)).toEqual(
      Array.from({ length: 64 }, (_, i) => `d${i + 1}.example`),
    );
    expect([left.at(-1)?.[2], refused.at(-1)?.[2]]).toEqual([2, 2]);
    expect([...left, ...refused].filter(([, , names]) => names === 1)).toHaveLength(126);
  });
});

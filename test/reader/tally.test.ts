/* What is counted between two questions, and how much of it is kept apart. */
import { describe, expect, it } from "vitest";
import { type Count, MAX_ASKED, MAX_ASKED_TEXT } from "../../src/api/index.ts";
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
  const named = (name: string, group: number, domain = "example.com"): AskedName => ({
    domain,
    group,
    name: fingerprint(KEY.names, name),
  });
  const taken = (tally: Tally, isWanted?: (domain: string) => boolean): [string, number, number][] =>
    (tally.takeAsked(isWanted) ?? []).map(([domain, group, text]) => {
      const sketch = newSketch();
      mergePackedSketch(sketch, fromBase64Url(text));
      return [domain, group, estimate(sketch)];
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

  it("are distinct ones, by domain and group", () => {
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

  it("go to the Registry that has their list, and wait for its question", () => {
    const tally = new Tally();
    tally.countNames([named("alice", 7, "here.example"), named("alice", 0, "there.example")]);
    expect(taken(tally, (domain) => domain === "there.example")).toEqual([["there.example", 0, 1]]);
    expect(tally.takeAsked((domain) => domain === "there.example")).toBeUndefined();
    expect(taken(tally)).toEqual([["here.example", 7, 1]]);
  });

  it("have room by domain: of each first the largest group, and the rest waits for the next question", () => {
    const tally = new Tally();
    for (let group = 1; group <= MAX_ASKED; group++)
      tally.countNames([named("alice", group, "many.example")]);
    for (const name of ["bob", "carol"]) tally.countNames([named(name, MAX_ASKED, "many.example")]);
    tally.countNames([named("alice", 1), named("alice", 2), named("bob", 2), named("alice", 0)]);
    const first = taken(tally);
    expect(first).toHaveLength(MAX_ASKED);
    expect(first.slice(0, 2)).toEqual([
      ["many.example", MAX_ASKED, 3],
      ["example.com", 2, 2],
    ]);
    // Those that enforce mode would refuse come last.
    const second = taken(tally);
    expect(second).toHaveLength(3);
    expect(second.at(-1)).toEqual(["example.com", 0, 1]);
    expect(tally.takeAsked()).toBeUndefined();
  });

  it("have so many characters in a question, and the rest waits", () => {
    const tally = new Tally();
    const names = Array.from({ length: 3_000 }, (_, i) => `user${i}`);
    for (let group = 1; group <= 300; group++)
      for (const name of names) tally.countNames([named(name, group)]);
    let lines = 0;
    for (let asked = tally.takeAsked(); asked !== undefined; asked = tally.takeAsked()) {
      expect(JSON.stringify(asked).length).toBeLessThanOrEqual(MAX_ASKED_TEXT + 1);
      lines += asked.length;
    }
    expect(lines).toBe(300);
  });

  it("are kept in 4,096 sketches: a domain with fewer takes the room of the one with most", () => {
    const tally = new Tally();
    for (let group = 1; group <= 4_100; group++) tally.countNames([named("alice", group, "many.example")]);
    for (let group = 1; group <= 3; group++) tally.countNames([named("alice", group, "few.example")]);
    // Who has most makes no room for itself.
    tally.countNames([named("bob", 5_000, "many.example"), named("bob", 4_000, "many.example")]);
    const all: [string, number, number][] = [];
    for (let some = taken(tally); some.length > 0; some = taken(tally)) all.push(...some);
    expect(all).toHaveLength(4_096);
    expect(all.filter(([domain]) => domain === "few.example").map(([, group]) => group)).toEqual([1, 2, 3]);
    expect(all.find(([domain, group]) => domain === "many.example" && group === 4_000)?.[2]).toBe(2);
    expect(all.some(([, group]) => group > 4_096)).toBe(false);
    // Room is given back.
    tally.countNames([named("bob", 5_000, "many.example")]);
    expect(taken(tally)).toEqual([["many.example", 5_000, 1]]);
  });
});

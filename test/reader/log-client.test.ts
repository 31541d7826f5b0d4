/* How the reader learns what changed: from the Registry, and from KV's rosters. */
import { describe, expect, it } from "vitest";
import { rosterKey } from "../../src/directory/index.ts";
import { queryOf } from "../../src/reader/index.ts";
import { D, Desk, INCARNATION, WINDOW } from "./support/desk.ts";

const HOUR = 3_600_000;
const ROSTER = rosterKey("0");

/** Domains with a list, more than a Registry lists to a reader that starts. */
function large(more: ConstructorParameters<typeof Desk>[0] = {}): Desk {
  const desk = new Desk(more);
  for (let i = 0; i < 4; i++) desk.publish({ domain: `d${i}.example`, generation: 5 + i, names: ["alice"] });
  return desk;
}

const view = (desk: Desk) => desk.reader.views.at(0);

describe("a reader that starts", () => {
  it("learns everything in one answer of a small Registry, without KV's roster", async () => {
    const desk = new Desk();
    desk.publish();
    desk.log.revoked = ["t"];
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(desk.takeQuestions()).toEqual([{ since: null, want: null, most: 3 }]);
    expect(desk.takeReads()).not.toContain(ROSTER);
    expect(desk.reader.isRevoked("t")).toBe(true);
    expect(desk.reader.isRevoked("u")).toBe(false);
  });

  it("starts from KV's roster where the Registry is large, and asks for the difference", async () => {
    const desk = large();
    desk.roster("0", { asOf: 6, heads: { "d0.example": 5, "d1.example": 6 } });
    expect(await desk.check("nobody@d3.example")).toMatchObject({ verdict: "unknown", generation: 8 });
    expect(desk.takeQuestions()).toEqual([
      { since: null, want: null, most: 3 },
      { since: { incarnation: INCARNATION, number: 6 }, want: null },
    ]);
    expect(view(desk).head("d2.example")).toBe(7);
  });

  it("asks for everything where the Registry is large and KV has no roster", async () => {
    const desk = large();
    expect(await desk.check("nobody@d3.example")).toMatchObject({ verdict: "unknown" });
    expect(desk.takeQuestions()).toStrictEqual([
      { since: null, want: null, most: 3 },
      { since: null, want: null },
    ]);
  });

  it("does not use a roster of another number of partitions, or a damaged one", async () => {
    const desk = large();
    desk.roster("0", { partitions: 2, asOf: 6 });
    await desk.check("nobody@d3.example");
    expect(desk.takeQuestions().map(({ since }) => since)).toEqual([null, null]);
    const other = large();
    other.roster("0", { asOf: 6 });
    other.kv.set(ROSTER, `x${other.kv.get(ROSTER)}`);
    expect(await other.check("nobody@d3.example")).toMatchObject({ verdict: "unknown" });
    expect(other.takeFaults()).toEqual(["damaged_roster"]);
  });

  it("reads the roster after 1.5 s without an answer, and still takes a late one", async () => {
    const desk = large();
    desk.log.takes = 1_499;
    desk.roster("0", { asOf: 6, heads: { "d0.example": 5 } });
    await desk.check("nobody@d3.example");
    // In time: the roster is read because the answer lists nothing, and the second question is late.
    expect(desk.reads.filter(([key]) => key === ROSTER)).toHaveLength(1);
    const late = new Desk();
    late.publish();
    late.roster("0", { asOf: 5, heads: { [D]: 5 } });
    late.log.takes = 1_501;
    const begun = late.time.now();
    expect(await late.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", confirmed_age: 2 });
    expect(late.time.now() - begun).toBe(1_501);
    expect(late.reads.filter(([key]) => key === ROSTER)).toHaveLength(1);
  });

  it("reads the roster once, where the answer is late and lists nothing", async () => {
    const desk = large();
    desk.log.takes = 1_501;
    desk.roster("0", { asOf: 6, heads: { "d0.example": 5 } });
    await desk.check("nobody@d3.example");
    expect(desk.reads.filter(([key]) => key === ROSTER)).toHaveLength(1);
  });

  it("reads the roster of a log that has replaced the one it knew, although it had contact", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.reader.noteChange(0, { incarnation: INCARNATION + 1, number: 1 }, {});
    desk.roster("0", { incarnation: INCARNATION + 1, asOf: 2, heads: { [D]: 2 } });
    desk.log.fate = "hangs";
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(desk.takeReads()).toContain(ROSTER);
    expect(view(desk).head(D)).toBe(2);
  });

  it("does not read the roster where the answer is just in time", async () => {
    const desk = new Desk();
    desk.publish();
    desk.log.takes = 1_499;
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(desk.reads.filter(([key]) => key === ROSTER)).toHaveLength(0);
  });

  it("accepts from KV alone where the Registry hangs, with the roster's heartbeat as its contact", async () => {
    const desk = new Desk();
    desk.publish();
    const heartbeat = desk.time.now() - 20_000;
    desk.roster("0", { heartbeat, asOf: 5, heads: { [D]: 5 } });
    desk.log.fate = "hangs";
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable", confirmed_age: null });
    expect(view(desk).lastContact).toBe(heartbeat);
    expect(desk.takeFaults()).toEqual(["registry_unreachable"]);
  });
});

describe("a reader that knows something", () => {
  it("asks from what it knows", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    desk.takeQuestions();
    await desk.time.advance(WINDOW);
    await desk.check(`nobody@${D}`);
    // Stored questions are compared as they are: one without a limit does not name it.
    expect(desk.takeQuestions()).toStrictEqual([
      { since: { incarnation: INCARNATION, number: 5 }, want: null },
    ]);
  });

  it("looks for contact in the roster only after an hour without any", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.log.fate = "fails";
    desk.takeReads();
    await desk.time.advance(HOUR);
    await desk.check(`nobody@${D}`);
    expect(desk.takeReads()).not.toContain(ROSTER);
    await desk.time.advance(1_001);
    desk.roster("0", { heartbeat: desk.time.now() - 5 });
    await desk.check(`nobody@${D}`);
    expect(desk.takeReads()).toContain(ROSTER);
    expect(view(desk).lastContact).toBe(desk.time.now() - 5);
  });

  it("is confirmed from before its question, however long the answer takes", async () => {
    const desk = new Desk();
    desk.publish();
    desk.log.takes = 1_200;
    const asked = desk.time.now();
    await desk.check(`nobody@${D}`);
    expect(view(desk).askedAt).toBe(asked);
    expect(view(desk).refreshedAt).toBe(asked + 1_200);
  });

  it("gives up after three seconds, and pauses for one", async () => {
    const desk = new Desk();
    desk.publish();
    await desk.check(`nobody@${D}`);
    await desk.idle();
    desk.takeQuestions();
    desk.log.fate = "hangs";
    await desk.time.advance(WINDOW);
    const begun = desk.time.now();
    expect(await desk.check(`nobody@${D}`)).toMatchObject({
      verdict: "unavailable",
      detail: "the Registry did not confirm in time",
    });
    expect(desk.time.now() - begun).toBe(3_000);
    const again = desk.time.now();
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(desk.time.now()).toBe(again);
    expect(desk.takeQuestions()).toHaveLength(1);
    await desk.time.advance(1_000);
    await desk.check(`nobody@${D}`);
    expect(desk.takeQuestions()).toHaveLength(1);
  });
});

describe("partitions", () => {
  it("are asked each by itself, at the same time", async () => {
    const desk = new Desk({ partitions: 2 });
    const names = ["a", "b", "c", "d", "e", "f"].map((name) => `${name}.example`);
    const [first, second] = [0, 1].map(
      (partition) => names.find((name) => desk.reader.partitionOf(name) === partition) as string,
    );
    desk.log.takes = 100;
    const all = [first, second].map((domain) =>
      Promise.resolve(desk.reader.check(desk.context(), queryOf(`x@${domain}`))),
    );
    const begun = desk.time.now();
    const answers = await desk.time.run(Promise.all(all));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["not-served", "not-served"]);
    expect(desk.takeQuestions()).toHaveLength(2);
    expect(desk.time.now() - begun).toBeLessThanOrEqual(130);
  });
});

describe("a refresh that ends", () => {
  it("allows sixteen more reads of domains that are not known", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    for (let i = 0; i < 20; i++) {
      await desk.check(`x@invented${i}.example`);
      await desk.time.advance(1_000);
    }
    expect(desk.takeReads().filter((key) => key.includes("invented"))).toHaveLength(20);
  });
});

describe("faults of the Registry", () => {
  it.each([
    ["fails", ["registry_unreachable"], "Registry 0: the log is away"],
    ["refuses", ["registry_refuses"], "not now"],
  ] as const)("are reported: it %s", async (fate, kinds, detail) => {
    const desk = new Desk();
    desk.publish();
    desk.log.fate = fate;
    await desk.check(`nobody@${D}`);
    expect(desk.faults[0]?.[2]).toBe(detail);
    expect(new Set(desk.takeFaults())).toEqual(new Set(kinds));
  });

  it("are none before the first publish", async () => {
    const desk = new Desk();
    desk.log.fate = "refuses";
    desk.log.refusal = { code: "uninitialised", message: "nothing yet" } as never;
    expect(await desk.check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    expect(desk.takeFaults()).toEqual([]);
  });
});

describe("KV", () => {
  it("that hangs is given up after 1.5 s, and reported", async () => {
    const desk = new Desk();
    desk.publish();
    desk.kvFate = "hangs";
    const begun = desk.time.now();
    expect(await desk.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
    // Once before the head is known, and once for the head.
    expect(desk.time.now() - begun).toBe(3_000);
    const fault = ["kv_unreadable", null, "took too long"];
    expect(desk.faults).toEqual([fault, fault]);
  });
});

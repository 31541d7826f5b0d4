import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/directory/index.ts";
import { ACCEPT_GRACE, ALICE, away, Bench, BOB, DAY, NOBODY, SECOND, says } from "./support/bench.ts";

const HOUR = 3_600 * SECOND;
const ACCEPTED = "deliverable accept grace";
const DEFERRED = "unavailable defer none";

/** An edge whose isolate has not contacted the Registry lately: it accepts, and nothing confirms it. */
const unconfirmed = (contactAge: number | null): Bench =>
  new Bench(says("deliverable", { incarnation: 1, confirmedAge: null, contactAge, maxAge: 0 }));

describe("while the edge is away", () => {
  it("a recipient that is not cached is deferred", async () => {
    expect(await new Bench(away).said(ALICE)).toBe(DEFERRED);
  });

  it("an accept holds for accept-grace, minus the age of its confirmation", async () => {
    const bench = new Bench(says("deliverable", { confirmedAge: 600, maxAge: 20 }));
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(ACCEPT_GRACE - 601 * SECOND);
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(2 * SECOND);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });

  it("an accept that nothing confirmed does not hold", async () => {
    const bench = new Bench(says("deliverable", { confirmedAge: null, maxAge: 0 }));
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });

  it("an accept that nothing confirmed does not replace an earlier one that was confirmed", async () => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = says("deliverable", { confirmedAge: null, maxAge: 0 });
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
  });

  it("a refusal is given until its max_age ends and never longer", async () => {
    const bench = new Bench(says("unknown", { maxAge: 29 }));
    await bench.resolve(NOBODY);
    bench.edge = away;
    await bench.time.advance(29 * SECOND - 1);
    expect(await bench.said(NOBODY)).toBe("unknown reject cache");
    await bench.time.advance(1);
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
  });

  it("an accept in observe mode holds like any other", async () => {
    const bench = new Bench(says("unknown", { mode: "observe" }));
    await bench.resolve(NOBODY);
    await bench.time.advance(DAY);
    bench.edge = away;
    expect(await bench.said(NOBODY)).toBe("unknown accept grace");
  });

  it.each<Verdict>(["unavailable", "throttled"])(
    "its answer %s says nothing: an accept holds",
    async (verdict) => {
      const bench = new Bench(says("deliverable"));
      await bench.resolve(ALICE);
      await bench.time.advance(60 * SECOND);
      bench.edge = says(verdict, { generation: null });
      expect(await bench.said(ALICE)).toBe(ACCEPTED);
      expect(await bench.said(NOBODY)).toBe(`${verdict} defer edge`);
    },
  );

  it.each<[Verdict, string]>([
    ["unknown", "reject"],
    ["departed", "defer"],
    ["full", "defer"],
  ])("an accept does not come back after the edge has said %s", async (verdict, action) => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = says(verdict);
    expect(await bench.said(ALICE)).toBe(`${verdict} ${action} edge`);
    await bench.time.advance(60 * SECOND);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });
});

describe("an accept that no answer of the Registry confirmed", () => {
  it("holds for accept-grace from the last contact with the Registry", async () => {
    const bench = unconfirmed(35);
    for (let i = 0; i < 4; i++) {
      expect(await bench.said(ALICE)).toBe("deliverable accept edge");
      await bench.time.advance(35 * SECOND);
    }
    expect(bench.asked).toHaveLength(4);
    bench.edge = away;
    // The last contact was 35 s before the last answer, which was 35 s ago.
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(ACCEPT_GRACE - 70 * SECOND - 1);
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(1);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });

  it("does not add the bridge's grace to the isolate's", async () => {
    const bench = unconfirmed(ACCEPT_GRACE / SECOND - 3_600);
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(HOUR - 1);
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(1);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });

  it("is cached after one question a day, since a cold isolate is asked once more after its answer", async () => {
    const bench = unconfirmed(null);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge", took: 0 });
    expect(bench.asked).toHaveLength(1);
    // It has contacted the Registry since.
    bench.edge = says("deliverable", { contactAge: 5, confirmedAge: 5 });
    await bench.time.advance(10 * SECOND);
    expect(bench.asked).toHaveLength(2);
    bench.edge = away;
    await bench.time.advance(DAY);
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
  });

  it("is asked about again if the contact is so old that it would not hold for long", async () => {
    const bench = unconfirmed(6 * 86_400);
    await bench.resolve(ALICE);
    await bench.time.advance(10 * SECOND);
    expect(bench.asked).toHaveLength(2);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(DAY);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });

  it("keeps the later contact of an earlier answer of the same generation", async () => {
    const bench = new Bench(says("deliverable", { contactAge: 1 }));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = says("deliverable", { confirmedAge: null, contactAge: 6 * 86_400, maxAge: 0 });
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(6 * DAY);
    expect(await bench.said(ALICE)).toBe(ACCEPTED);
    await bench.time.advance(DAY);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
  });
});

describe("a follow-up", () => {
  it("is sent once, however often the recipient is asked about and whatever the answer", async () => {
    const bench = unconfirmed(null);
    for (let i = 0; i < 10; i++) await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(11);
    expect(bench.time.pending).toBe(0);
  });

  it("is one of a few, however many recipients are asked about", async () => {
    const bench = unconfirmed(null);
    for (let i = 0; i < 1_000; i++) await bench.resolve(`user${i}@example.com`);
    const pending = bench.time.pending;
    await bench.time.advance(60 * SECOND);
    expect(pending).toBe(64);
    expect(bench.asked).toHaveLength(1_064);
  });

  it("is left out if the accept was confirmed, or accept-grace is off", async () => {
    const confirmed = new Bench(says("deliverable", { contactAge: 20 }));
    const off = new Bench(says("deliverable", { confirmedAge: null }), { acceptGrace: 0 });
    for (const bench of [confirmed, off]) {
      await bench.resolve(ALICE);
      expect(bench.time.pending).toBe(0);
    }
  });

  it("is left out while the edge fails", async () => {
    const bench = unconfirmed(null);
    await bench.resolve(ALICE);
    bench.edge = away;
    for (let i = 0; i < 5; i++) await bench.resolve(`user${i}@example.com`);
    const asked = bench.asked.length;
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(asked);
  });

  it("is left out if another question was answered since", async () => {
    const bench = unconfirmed(null);
    await bench.resolve(ALICE);
    bench.edge = says("deliverable", { contactAge: 5, confirmedAge: 5, maxAge: 0 });
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(2);
  });

  it("is left out once the bridge stops", async () => {
    const bench = unconfirmed(null);
    await bench.resolve(ALICE);
    bench.resolver.stop();
    await bench.resolve(BOB);
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(2);
    expect(bench.time.pending).toBe(0);
  });
});

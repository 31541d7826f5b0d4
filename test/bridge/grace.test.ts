import { describe, expect, it } from "vitest";
import { answerOf } from "./support/answers.ts";
import { ACCEPT_GRACE, away, Bench, DAY } from "./support/bench.ts";

const ALICE = "alice@example.com";
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** An edge whose isolate has not been told anything lately: it accepts, and nothing confirms it. */
const unconfirmed = (contactAge: number | null): Bench =>
  new Bench(({ recipient }) =>
    answerOf(recipient, "deliverable", { incarnation: 1, confirmedAge: null, contactAge, maxAge: 0 }),
  );

describe("an accept that no answer of the Registry confirmed", () => {
  it("goes on for accept-grace, counted from the last sign of the Registry that it rests on", async () => {
    const bench = unconfirmed(35);
    for (let i = 0; i < 4; i++) {
      expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
      await bench.time.advance(35 * SECOND);
    }
    expect(bench.asked).toHaveLength(4);
    bench.edge = away;
    // The last sign was 35 s before the last answer, which was 35 s ago.
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(ACCEPT_GRACE - 70 * SECOND - 1);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(1);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none" });
  });

  it("does not add the bridge's grace to the isolate's", async () => {
    const bench = unconfirmed(ACCEPT_GRACE / SECOND - 3_600);
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(HOUR - 1);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(1);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none" });
  });

  it("is remembered after one question a day, since a cold isolate is asked once more behind its answer", async () => {
    const bench = unconfirmed(null);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge", took: 0 });
    expect(bench.asked).toHaveLength(1);
    // It asked the Registry meanwhile.
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable", { contactAge: 5, confirmedAge: 5 });
    await bench.time.advance(10 * SECOND);
    expect(bench.asked).toHaveLength(2);
    bench.edge = away;
    await bench.time.advance(DAY);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
  });

  it("is asked about again where the sign is so old that it would not go on for long", async () => {
    const bench = unconfirmed(6 * 86_400);
    await bench.resolve(ALICE);
    await bench.time.advance(10 * SECOND);
    expect(bench.asked).toHaveLength(2);
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(DAY);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
  });

  it("keeps the younger sign that an answer of the same generation rested on", async () => {
    const bench = new Bench(({ recipient }) => answerOf(recipient, "deliverable", { contactAge: 1 }));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = ({ recipient }) =>
      answerOf(recipient, "deliverable", { confirmedAge: null, contactAge: 6 * 86_400, maxAge: 0 });
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(6 * DAY);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(DAY);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
  });
});

describe("a question behind an answer", () => {
  it("is one, however often the recipient is asked about and whatever comes of it", async () => {
    const bench = unconfirmed(null);
    for (let i = 0; i < 10; i++) await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(11);
    expect(bench.time.pending).toBe(0);
  });

  it("is one of few, however many recipients are asked about", async () => {
    const bench = unconfirmed(null);
    for (let i = 0; i < 1_000; i++) await bench.resolve(`user${i}@example.com`);
    const pending = bench.time.pending;
    await bench.time.advance(60 * SECOND);
    expect(pending).toBe(64);
    expect(bench.asked).toHaveLength(1_064);
  });

  it("is left out where the accept was confirmed, where accept-grace is off, and where the edge fails", async () => {
    const confirmed = new Bench(({ recipient }) => answerOf(recipient, "deliverable", { contactAge: 20 }));
    await confirmed.resolve(ALICE);
    expect(confirmed.time.pending).toBe(0);
    const off = new Bench(({ recipient }) => answerOf(recipient, "deliverable", { confirmedAge: null }), {
      acceptGrace: 0,
    });
    await off.resolve(ALICE);
    expect(off.time.pending).toBe(0);
    const failing = unconfirmed(null);
    await failing.resolve(ALICE);
    failing.edge = away;
    for (let i = 0; i < 5; i++) await failing.resolve(`user${i}@example.com`);
    const asked = failing.asked.length;
    await failing.time.advance(60 * SECOND);
    expect(failing.asked).toHaveLength(asked);
  });

  it("ends with the bridge", async () => {
    const bench = unconfirmed(null);
    await bench.resolve(ALICE);
    bench.resolver.stop();
    await bench.resolve("bob@example.com");
    await bench.time.advance(60 * SECOND);
    expect(bench.asked).toHaveLength(2);
    expect(bench.time.pending).toBe(0);
  });
});

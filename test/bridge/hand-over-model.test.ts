import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { due, Model, type ModelClient, type Spoken, type Step } from "./support/hand-over-model.ts";

/*
 * A client that pipelines, others that connect at any time, and processes that hand their connections over to each other,
 * at any moment and in any order of answers: each question is asked once and answered once, in order, about its own address.
 */

/** Enough for a second; ROLLCALL_SEQUENCES tries more. */
const SEQUENCES = Number(process.env.ROLLCALL_SEQUENCES ?? 400);

const recipientOf = (i: number): string => `nobody${i}@example.com`;

const octets = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(100_000));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("send" as const), octets }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("deliver" as const), octets, pick: fc.nat(3) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("answer" as const),
        pick: fc.nat(40),
        count: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 9 })),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("connect" as const),
        questions: fc.integer({ min: 0, max: 5 }),
        isNew: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("hand-over" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("call-off" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("message" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("take" as const), takes: fc.boolean() }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const) }) },
  ),
  { minLength: 5, maxLength: 60, size: "max" },
);

describe("a connection that processes hand on", () => {
  it(`answers each question once, in order, about its own address (${SEQUENCES} sequences)`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Spoken>("socketmap", "policy", "tcp"),
        fc.integer({ min: 1, max: 80 }),
        fc.boolean(),
        steps,
        async (protocol, count, isCached, sequence) => {
          const model = new Model(isCached);
          const recipients = Array.from({ length: count }, (_, i) => recipientOf(i));
          model.connect(protocol, recipients);
          for (const step of sequence) await model.step(step);
          await model.finish();
          expect(model.lost).toEqual([]);
          for (const client of model.clients) {
            const own = new Set(client.recipients);
            expect(model.asked.filter((recipient) => own.has(recipient))).toEqual(client.recipients);
            expect(client.wire.received).toBe(client.replies());
            expect(client.wire.unread).toBe(0);
          }
        },
      ),
      { numRuns: SEQUENCES },
    );
  });

  it("stays where it is if the other process ends with the only one that it was given", async () => {
    const model = new Model();
    model.connect("tcp");
    void model.handOver();
    await due();
    expect(await model.die()).toBe(false);
    // New clients are this process's again.
    const late = model.connect("tcp", [recipientOf(1)]);
    late.send();
    late.wire.deliver(100);
    await due();
    expect(model.asked).toEqual([recipientOf(1)]);
  });

  it("is handed on alone, and all are waited for: those too that connect meanwhile", async () => {
    const model = new Model();
    model.connect("tcp");
    model.connect("tcp");
    const over = state(model.handOver());
    for (let given = 1; given <= 3; given++) {
      await due();
      expect([model.onTheirWay, over.isOver]).toEqual([1, false]);
      if (given === 1) model.connect("tcp");
      model.message();
    }
    await due();
    expect([model.onTheirWay, over.isOver]).toEqual([0, true]);
    expect(model.sizes).toEqual([0, 3, 0]);
  });

  it("is handed on alone, and first, when its replies are there", async () => {
    const model = new Model();
    const busy = model.connect("tcp", [recipientOf(0)]);
    ask(busy);
    for (let i = 0; i < 3; i++) model.connect("tcp");
    void model.handOver();
    await due();
    model.answer(0, 1);
    for (let given = 1; given <= 4; given++) {
      await due();
      expect(model.onTheirWay).toBe(1);
      model.message();
      // One of the line was on its way, and the next one had its turn.
      expect(busy.owner).toBe(given >= 2 ? 1 : 0);
    }
  });

  it("is handed on too if the client connects meanwhile", async () => {
    const model = new Model();
    ask(model.connect("tcp", [recipientOf(0)]));
    void model.handOver();
    const late = model.connect("tcp", [recipientOf(1)]);
    await due();
    ask(late);
    expect(model.asked).toEqual([recipientOf(0)]);
  });

  it("answers here until its turn, however many are before it and however long they take", async () => {
    const model = new Model();
    for (let i = 0; i < 9; i++) model.connect("tcp");
    const last = model.connect(
      "tcp",
      Array.from({ length: 8 }, (_, i) => recipientOf(i)),
    );
    const over = state(model.handOver());
    for (let given = 1; given <= 10; given++) {
      await due();
      expect([model.onTheirWay, over.isOver]).toEqual([1, false]);
      await advance(model, 3_000);
      if (given <= 8) {
        last.send(`get ${recipientOf(0)}\n`.length);
        last.wire.deliver(100);
        expect(model.asked).toHaveLength(given);
        model.answer(0, 1);
        await due();
        expect(last.wire.received).toBe(last.replies(given));
      }
      model.message();
    }
    await due();
    expect([model.sizes, over.isOver]).toEqual([[0, 10, 0], true]);
  });
});

describe("a hand-over ends", () => {
  it("when none was handed on for four seconds, as one whose replies are missing", async () => {
    const model = new Model();
    ask(model.connect("tcp", [recipientOf(0)]));
    model.connect("tcp");
    const over = state(model.handOver());
    await due();
    model.message();
    await advance(model, 7_999);
    expect([model.sizes, over.isOver]).toEqual([[1, 1, 0], false]);
    await advance(model, 1);
    expect([model.sizes, over.isOver]).toEqual([[1, 1, 0], true]);
  });

  it("after a minute, although it gets on", async () => {
    const model = new Model();
    for (let i = 0; i < 40; i++) model.connect("tcp");
    const over = state(model.handOver());
    for (let second = 0; second < 60; second += 3) {
      expect(over.isOver).toBe(false);
      await advance(model, 3_000);
      model.message();
    }
    await due();
    expect([model.sizes, over.isOver]).toEqual([[19, 20, 0], true]);
  });

  it("within four seconds once those that were open at the start are handed on, although clients go on connecting", async () => {
    const model = new Model();
    model.connect("tcp");
    const over = state(model.handOver());
    for (let i = 0; i < 4; i++) {
      expect(over.isOver).toBe(false);
      model.connect("tcp");
      await advance(model, 1_000);
      model.message();
    }
    await due();
    expect([model.sizes, over.isOver]).toEqual([[0, 4, 0], true]);
  });
});

describe("when the listeners are closed", () => {
  it("those that came last are still handed on, each when it is answered", async () => {
    const model = new Model();
    const late = [1, 2].map((i) => model.connect("tcp", [recipientOf(i)]));
    late.forEach(ask);
    void model.handOver();
    await advance(model, 4_000);
    const left = model.leave();
    for (const client of late) {
      await advance(model, 1_500);
      model.answer(0, 1);
      await due();
      model.message();
      expect(client.wire.received).toBe(client.replies());
    }
    await advance(model, 100);
    expect([await left, model.sizes]).toEqual([0, [0, 2, 0]]);
  });

  it("what is not handed on for four seconds more is answered, closed and counted", async () => {
    const model = new Model();
    const client = model.connect("tcp", [recipientOf(0), recipientOf(1)]);
    ask(client);
    // What its client ends is not counted.
    const ended = model.connect("tcp", [recipientOf(2)]);
    ask(ended);
    ended.wire.end();
    ended.wire.deliver(1);
    void model.handOver();
    await advance(model, 4_000);
    const left = model.leave();
    await advance(model, 4_099);
    expect(client.wire.received).toBe("");
    await advance(model, 1);
    model.answer(1, 2);
    model.answer(0, 1);
    await advance(model, 4_000);
    for (const each of model.clients) expect(each.wire.received).toBe(each.replies());
    expect([await left, model.sizes]).toEqual([1, [0, 0, 0]]);
  });

  it("and the other process ends, all others are served until they are closed", async () => {
    const model = new Model();
    const busy = model.connect("tcp", [recipientOf(0), recipientOf(1)]);
    model.connect("tcp");
    ask(busy);
    void model.handOver();
    await advance(model, 4_000);
    const late = model.connect("tcp", [recipientOf(2)], false);
    const left = model.leave();
    await model.die();
    ask(late);
    await due();
    expect([model.onTheirWay, model.asked]).toEqual([0, [0, 1, 2].map(recipientOf)]);
    model.answer(0, 3);
    await advance(model, 4_500);
    await advance(model, 4_000);
    expect([await left, model.sizes]).toEqual([2, [0, 1, 0]]);
    for (const client of [busy, late]) expect(client.wire.received).toBe(client.replies());
  });
});

describe("a stop while connections are handed on", () => {
  it("hands on none of the rest: what they ask is answered, and they are closed", async () => {
    const model = new Model();
    const clients = [0, 1, 2].map((i) => model.connect("tcp", [recipientOf(i)]));
    // This one is ready when another one is on its way.
    const busy = model.connect("tcp", [recipientOf(3), recipientOf(4)]);
    busy.send(20);
    busy.send(`get ${recipientOf(3)}\n`.length - 20);
    busy.wire.deliver(100);
    void model.handOver();
    await due();
    await due();
    const stopped = model.stop();
    for (const client of [...clients, busy]) client.send();
    model.answer(0, 1);
    await due();
    model.message();
    await due();
    for (const { wire } of model.clients) wire.deliver(100);
    expect(model.onTheirWay).toBe(0);
    await due();
    model.answer(0, 4);
    await advance(model, 100);
    await advance(model, 400);
    await stopped;
    expect(model.sizes).toEqual([0, 1, 0]);
    for (const client of model.clients) expect(client.wire.received).toBe(client.replies());
  });
});

/** The client sends all its questions. */
function ask(client: ModelClient): void {
  client.send();
  client.wire.deliver(1_000);
}

function state(over: Promise<unknown> | undefined): { readonly isOver: boolean } {
  const seen = { isOver: false };
  void over?.then(() => {
    seen.isOver = true;
  });
  return seen;
}

/** In the first process. */
async function advance(model: Model, ms: number): Promise<void> {
  await due();
  await model.times[0]?.advance(ms);
  await due();
}

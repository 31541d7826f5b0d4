import { describe, expect, it } from "vitest";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import { ClientError } from "../../src/client/index.ts";
import { answerOf } from "./support/answers.ts";
import {
  ACCEPT_GRACE,
  ALICE,
  away,
  Bench,
  BOB,
  badGateway,
  DAY,
  type Edge,
  NOBODY,
  SECOND,
  says,
  TIMEOUT,
} from "./support/bench.ts";

const never: Edge = () => new Promise(() => undefined);

describe("a broken connection", () => {
  it("is tried once more at once", async () => {
    const edges = [away, says("deliverable")];
    const bench = new Bench((asked) => (edges.shift() as Edge)(asked));
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    expect(bench.asked).toHaveLength(2);
  });

  it("is tried once more only", async () => {
    const bench = new Bench(away);
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
    expect(bench.asked).toHaveLength(2);
  });

  it("is not tried again after a third of the timeout", async () => {
    const bench = new Bench(away);
    bench.latency = TIMEOUT / 3;
    await bench.resolve(ALICE);
    expect(bench.asked).toHaveLength(1);
  });

  it.each([
    ["a status", badGateway()],
    ["a stranger's page", new ClientError("protocol", "no edge", 200)],
    ["refused credentials", new ClientError("unauthorized", "no", 401)],
  ])("is not what %s is", async (_, why) => {
    const bench = new Bench(() => why);
    await bench.resolve(ALICE);
    expect(bench.asked).toHaveLength(1);
  });
});

describe("a fault of the client", () => {
  const broken: Edge = () => {
    throw new Error("broken");
  };

  it("is a deferral, and is reported", async () => {
    const bench = new Bench(broken);
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
    expect(bench.faults).toEqual([new Error("broken")]);
  });

  it("releases its permit", async () => {
    const bench = new Bench(broken, { width: 1 });
    for (let i = 0; i < 3; i++) await bench.resolve(`user${i}@example.com`);
    bench.edge = says("deliverable");
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
  });
});

describe("a burst", () => {
  it("reaches the edge a bounded number at a time, and is answered whole", async () => {
    const bench = new Bench(says("deliverable"), { width: 4 });
    bench.latency = 100;
    const asked = bench.askMany(20);
    await bench.time.advance(0);
    expect(bench.asked).toHaveLength(4);
    await bench.time.advance(100);
    expect(bench.asked).toHaveLength(8);
    await bench.time.advance(400);
    expect((await asked).every(({ answer }) => answer.action === "accept")).toBe(true);
  });

  it("is deferred if too many wait, or the wait was too long", async () => {
    const bench = new Bench(says("deliverable"), { width: 1, waiting: 2 });
    bench.latency = 2_000;
    const asked = bench.askMany(4);
    await bench.time.advance(TIMEOUT);
    const sources = (await asked).map(({ answer, source }) => `${answer.verdict} ${source}`);
    expect(sources).toEqual(["deliverable edge", ...Array<string>(3).fill("unavailable none")]);
    await bench.time.advance(DAY);
    // The second was still asked in time to be cached; the third was past its deadline.
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual(["n0@example.com", "n1@example.com"]);
  });
});

describe("a question that waits for a request under way", () => {
  /** Two questions of one domain, of which the second is sent a second after it was asked. */
  const askTwo = async (edge: Edge): Promise<{ bench: Bench; second: string }> => {
    const bench = new Bench(edge, { requests: 1 });
    bench.latency = SECOND;
    const asked = [bench.ask(ALICE), bench.ask(BOB)];
    await bench.time.advance(2 * SECOND);
    bench.latency = 0;
    const [, { answer, source }] = (await Promise.all(asked)) as [Resolution, Resolution];
    return { bench, second: `${answer.verdict} ${answer.action} ${source}` };
  };

  it("counts max_age from when it was sent, so that a refusal is not too old when it arrives", async () => {
    const { bench, second } = await askTwo(says("unknown", { maxAge: 2 }));
    expect(second).toBe("unknown reject edge");
    bench.edge = away;
    await bench.time.advance(SECOND - 1);
    expect(await bench.said(BOB)).toBe("unknown reject cache");
    await bench.time.advance(1);
    expect(await bench.said(BOB)).toBe("unavailable defer none");
  });

  it("counts accept-grace from when it was sent", async () => {
    const { bench } = await askTwo(says("deliverable", { confirmedAge: 0 }));
    bench.edge = away;
    await bench.time.advance(ACCEPT_GRACE - SECOND - 1);
    expect(await bench.said(BOB)).toBe("deliverable accept grace");
    await bench.time.advance(1);
    expect(await bench.said(BOB)).toBe("unavailable defer none");
  });

  it("is not asked again with less than two thirds of its time left", async () => {
    const generations = [5, 3, 3];
    const { bench, second } = await askTwo(({ recipient }) =>
      answerOf(recipient, "deliverable", { generation: generations.shift() ?? null }),
    );
    expect(second).toBe("deliverable accept edge");
    expect(bench.asked).toHaveLength(2);
  });
});

describe("an edge that fails", () => {
  const fail = async (bench: Bench, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await bench.resolve(`user${i}@example.com`);
  };

  it("is asked one question at a time after five failures in a row; the others are deferred at once", async () => {
    const bench = new Bench(badGateway);
    await fail(bench, 5);
    expect(bench.breaker.state).toBe("open");
    const before = bench.asked.length;
    const asked = bench.askMany(10);
    await bench.time.advance(1);
    expect(bench.asked.length - before).toBe(0);
    await bench.time.advance(1_000);
    expect((await asked).every(({ answer }) => answer.action === "defer")).toBe(true);
    expect(bench.asked.length - before).toBe(1);
  });

  it("is asked by the first question after its recovery, which is answered", async () => {
    const bench = new Bench(badGateway);
    await fail(bench, 20);
    bench.edge = says("deliverable");
    const answer = await bench.resolve(ALICE);
    expect(answer).toMatchObject({ action: "accept", source: "edge" });
    expect(answer.took).toBeLessThanOrEqual(1_000);
    expect(bench.breaker.state).toBe("closed");
  });

  it("delays one client only while it hangs", async () => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.latency = TIMEOUT;
    bench.edge = away;
    await fail(bench, 5);
    expect(bench.breaker.state).toBe("open");
    const first = bench.ask(NOBODY);
    await bench.time.advance(0);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace", took: 0 });
    expect(await bench.resolve(BOB)).toMatchObject({ action: "defer", took: 0 });
    await bench.time.advance(TIMEOUT);
    expect((await first).answer.action).toBe("defer");
  });

  it("makes no client wait for a permit once the failure is known", async () => {
    const bench = new Bench(badGateway, { width: 2, failures: 1 });
    bench.latency = TIMEOUT;
    const asked = [];
    for (const [name, wait] of [
      ["first", 1_000],
      ["second", 500],
      ["waits-for-a-permit", 1_700],
    ] as const) {
      asked.push(bench.ask(`${name}@example.com`));
      await bench.time.advance(wait);
    }
    expect(bench.breaker.state).toBe("half-open");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none", took: 0 });
    await bench.time.advance(DAY);
    expect(await Promise.all(asked)).toHaveLength(3);
  });

  it("is not one that answers, whatever the answer", async () => {
    const bench = new Bench(says("unavailable", { generation: null }));
    await fail(bench, 20);
    expect(bench.breaker.state).toBe("closed");
    expect(bench.asked).toHaveLength(20);
  });
});

describe("questions that share a request", () => {
  it("get an answer each, and one without an answer its own deferral", async () => {
    const bench = new Bench(
      (asked) =>
        asked.recipient === "n5@example.com"
          ? new ClientError("protocol", "damaged")
          : says("unknown")(asked),
      { requests: 1 },
    );
    bench.latency = 10;
    const answers = bench.askMany(12);
    await bench.time.advance(100);
    const verdicts = (await answers).map(({ answer }) => answer.verdict);
    expect(verdicts).toEqual(verdicts.map((_, i) => (i === 5 ? "unavailable" : "unknown")));
    expect(bench.requests).toEqual([1, 11]);
    expect(bench.states).toEqual([]);
  });

  it("are not delayed by another domain, nor by many", async () => {
    const bench = new Bench(
      ({ domain }) =>
        domain === "slow.example" ? new Promise(() => undefined) : answerOf(`x@${domain}`, "unknown"),
      { requests: 2 },
    );
    for (let i = 0; i < 20; i++) void bench.ask(`n${i}@slow.example`);
    bench.latency = 100;
    const answers = Array.from({ length: 40 }, (_, i) => bench.ask(`x@d${i}.example`));
    await bench.time.advance(101);
    for (const { answer } of await Promise.all(answers)) expect(answer.verdict).toBe("unknown");
  });

  it("are one failure if the request fails, and an edge that has recovered is asked at once", async () => {
    const bench = new Bench(away, { requests: 1, failures: 3 });
    bench.latency = TIMEOUT / 2;
    const answers = bench.askMany(30);
    await bench.time.advance(TIMEOUT);
    for (const { source } of await answers) expect(source).toBe("none");
    // The second request ended at the deadline, and the questions behind it were not sent.
    expect(bench.requests).toEqual([1, 16]);
    expect(bench.states).toEqual([]);
    bench.edge = says("deliverable");
    bench.latency = 0;
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict: "deliverable", took: 0 });
  });

  it("do not delay the probe of an edge that hangs", async () => {
    const bench = new Bench(never, { requests: 1, failures: 1 });
    expect(await bench.said("hangs@example.com")).toBe("unavailable defer none");
    // The only request hangs, and another failure has opened the breaker.
    await bench.breaker.run(async () => false);
    expect(bench.states).toEqual(["open"]);
    bench.edge = says("deliverable");
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    expect(bench.requests).toEqual([1, 1]);
  });
});

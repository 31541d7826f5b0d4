import { describe, expect, it } from "vitest";
import { Batcher } from "../../src/bridge/edge-source/batcher.ts";
import { ClientError, type Outcome } from "../../src/client/index.ts";
import { answerOf } from "./support/answers.ts";
import { away, Bench, TIMEOUT } from "./support/bench.ts";
import { settle } from "./support/virtual-time.ts";

/** One request to an edge, which ends when a test wants. */
interface Request {
  readonly recipients: readonly string[];
  readonly domain: string;
  readonly minGeneration: number;
  end(): Promise<void>;
  fail(): Promise<void>;
}

class HeldEdge {
  readonly requests: Request[] = [];
  now = 0;
  readonly batcher: Batcher;

  constructor(width: number) {
    this.batcher = new Batcher(
      (recipients, domain, minGeneration) =>
        new Promise((resolve, reject) => {
          const outcomes = recipients.map(
            (recipient): Outcome => ({ kind: "answer", recipient, answer: answerOf(recipient, "unknown") }),
          );
          this.requests.push({
            recipients,
            domain,
            minGeneration,
            end: () => {
              resolve(outcomes);
              return settle();
            },
            fail: () => {
              reject(new Error("broken"));
              return settle();
            },
          });
        }),
      () => this.now,
      width,
    );
  }

  /** Asks so many questions. @returns who was answered about, or null where a request failed */
  ask(count: number, domain: string, minGeneration = 0): Promise<(string | null)[]> {
    const names = Array.from({ length: count }, (_, i) => `n${i}@${domain}`);
    return Promise.all(
      names.map((name) =>
        this.batcher.ask({ recipient: name, domain, minGeneration: () => minGeneration, deadline: 1 }).then(
          (reply) => (reply === null ? "late" : reply.outcome.recipient),
          () => null,
        ),
      ),
    );
  }

  get sizes(): number[] {
    return this.requests.map(({ recipients }) => recipients.length);
  }
}

describe("questions to the edge", () => {
  it("go at once and by themselves while there is room for requests", async () => {
    const edge = new HeldEdge(3);
    void edge.ask(3, "a.example");
    await settle();
    expect(edge.sizes).toEqual([1, 1, 1]);
  });

  it("go together beyond that, sixteen at most, and each gets its own answer", async () => {
    const edge = new HeldEdge(2);
    const asked = edge.ask(22, "a.example");
    expect(edge.sizes).toEqual([1, 1]);
    await edge.requests[1]?.end();
    expect(edge.sizes).toEqual([1, 1, 16]);
    await edge.requests[0]?.end();
    expect(edge.sizes).toEqual([1, 1, 16, 4]);
    for (const request of edge.requests) await request.end();
    expect(await asked).toEqual(Array.from({ length: 22 }, (_, i) => `n${i}@a.example`));
    void edge.ask(3, "a.example");
    expect(edge.sizes).toEqual([1, 1, 16, 4, 1, 1]);
  });

  it("go with those about the same domain alone, with the highest minGeneration of them", async () => {
    const edge = new HeldEdge(1);
    void edge.ask(1, "a.example");
    void edge.ask(20, "a.example", 3);
    void edge.ask(1, "b.example", 7);
    void edge.ask(1, "a.example", 5);
    for (let i = 0; i < 4; i++) await edge.requests[i]?.end();
    expect(
      edge.requests.map(({ domain, recipients, minGeneration }) => [
        domain,
        recipients.length,
        minGeneration,
      ]),
    ).toEqual([
      ["a.example", 1, 0],
      ["b.example", 1, 7],
      ["a.example", 16, 3],
      ["a.example", 5, 5],
    ]);
  });

  it("do not go where nobody waits any more by then", async () => {
    const edge = new HeldEdge(1);
    const asked = edge.ask(20, "a.example");
    edge.now = 1;
    await edge.requests[0]?.end();
    expect(await asked).toEqual(["n0@a.example", ...Array<string>(19).fill("late")]);
    edge.now = 0;
    void edge.ask(1, "a.example");
    expect(edge.sizes).toEqual([1, 1]);
  });

  it("fail together where a request does, and the next ones go all the same", async () => {
    const edge = new HeldEdge(1);
    const asked = edge.ask(3, "a.example");
    await edge.requests[0]?.end();
    void edge.ask(1, "b.example");
    await edge.requests[1]?.fail();
    expect(await asked).toEqual(["n0@a.example", null, null]);
    expect(edge.sizes).toEqual([1, 2, 1]);
  });

  it("that must not wait do not, and take nobody's place", async () => {
    const edge = new HeldEdge(1);
    void edge.ask(5, "a.example");
    const question = { recipient: "x@a.example", domain: "a.example", minGeneration: () => 0, deadline: 1 };
    const alone = edge.batcher.askAlone(question);
    expect(edge.sizes).toEqual([1, 1]);
    await edge.requests[1]?.end();
    expect(await alone).toMatchObject({ outcome: { recipient: "x@a.example" } });
    expect(edge.sizes).toEqual([1, 1]);
  });
});

describe("a bridge whose questions go together", () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}@example.com`);

  it("has an answer for each, and for one that got none its own deferral", async () => {
    const bench = new Bench(
      ({ recipient }) =>
        recipient === "n5@example.com"
          ? new ClientError("protocol", "damaged")
          : answerOf(recipient, "unknown"),
      { requests: 1 },
    );
    bench.latency = 10;
    const answers = names(12).map((name) => Promise.resolve(bench.resolver.resolve(name)));
    await bench.time.advance(100);
    const verdicts = (await Promise.all(answers)).map(({ answer }) => answer.verdict);
    expect(verdicts).toEqual(names(12).map((_, i) => (i === 5 ? "unavailable" : "unknown")));
    expect(bench.requests).toEqual([1, 11]);
    expect(bench.states).toEqual([]);
  });

  it("is not held up by another domain, nor by many", async () => {
    const bench = new Bench(
      ({ domain }) =>
        domain === "slow.example" ? new Promise(() => undefined) : answerOf(`x@${domain}`, "unknown"),
      { requests: 2 },
    );
    for (let i = 0; i < 20; i++) void bench.resolver.resolve(`n${i}@slow.example`);
    bench.latency = 100;
    const answers = Array.from({ length: 40 }, (_, i) => bench.resolver.resolve(`x@d${i}.example`));
    await bench.time.advance(101);
    const verdicts = (await Promise.all(answers)).map(({ answer }) => answer.verdict);
    expect(new Set(verdicts)).toEqual(new Set(["unknown"]));
  });

  it("counts a request that fails as one failure, and asks an edge that has come back at once", async () => {
    const bench = new Bench(away, { requests: 1, failures: 3 });
    bench.latency = TIMEOUT / 2;
    const answers = names(30).map((name) => Promise.resolve(bench.resolver.resolve(name)));
    await bench.time.advance(TIMEOUT);
    expect(new Set((await Promise.all(answers)).map(({ source }) => source))).toEqual(new Set(["none"]));
    // The second ended with everybody's patience, and those behind it were not asked about.
    expect(bench.requests).toEqual([1, 16]);
    expect(bench.states).toEqual([]);
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable");
    bench.latency = 0;
    expect(await bench.resolve("alice@example.com")).toMatchObject({ verdict: "deliverable", took: 0 });
  });

  it("asks an edge that hangs anew without waiting for what hangs", async () => {
    const bench = new Bench(() => new Promise(() => undefined), { requests: 1, failures: 1 });
    expect(await bench.resolve("hangs@example.com")).toMatchObject({ source: "none" });
    // What hangs still has the only request that there may be, and another failure has opened the breaker.
    await bench.breaker.run(async () => false);
    expect(bench.states).toEqual(["open"]);
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable");
    expect(await bench.resolve("alice@example.com")).toMatchObject({ verdict: "deliverable" });
    expect(bench.requests).toEqual([1, 1]);
  });
});

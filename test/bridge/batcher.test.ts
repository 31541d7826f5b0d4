import { describe, expect, it } from "vitest";
import type { Query } from "../../src/bridge/answers/answer-source.ts";
import { Askers } from "../../src/bridge/answers/askers.ts";
import { Batcher } from "../../src/bridge/edge-source/batcher.ts";
import type { Outcome } from "../../src/client/index.ts";
import { answerOf } from "./support/answers.ts";
import { settle } from "./support/virtual-time.ts";

/** One request to an edge, which ends when a test wants. */
interface Request {
  readonly recipients: readonly string[];
  readonly domain: string;
  readonly minGeneration: number;
  end(): Promise<void>;
  fail(): Promise<void>;
}

const queryOf = (recipient: string, domain: string, generation = 0): Query => ({
  recipient,
  domain,
  askers: new Askers({}),
  minGeneration: () => generation,
  seenGeneration: () => generation,
  deadline: 1,
});

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

  /** Asks so many questions. @returns the recipients of the answers, null if a request failed */
  ask(count: number, domain: string, minGeneration = 0): Promise<(string | null)[]> {
    const names = Array.from({ length: count }, (_, i) => `n${i}@${domain}`);
    return Promise.all(
      names.map((name) =>
        this.batcher.ask(queryOf(name, domain, minGeneration)).then(
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
  it("each have a request of their own while there is room", async () => {
    const edge = new HeldEdge(3);
    void edge.ask(3, "a.example");
    await settle();
    expect(edge.sizes).toEqual([1, 1, 1]);
  });

  it("share a request beyond that, sixteen at most, and each gets its own answer", async () => {
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

  it("share a request with those about the same domain only, with their highest minGeneration", async () => {
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

  it("are not sent after their deadline", async () => {
    const edge = new HeldEdge(1);
    const asked = edge.ask(20, "a.example");
    edge.now = 1;
    await edge.requests[0]?.end();
    expect(await asked).toEqual(["n0@a.example", ...Array<string>(19).fill("late")]);
    edge.now = 0;
    void edge.ask(1, "a.example");
    expect(edge.sizes).toEqual([1, 1]);
  });

  it("fail together if their request fails, and the next ones are still sent", async () => {
    const edge = new HeldEdge(1);
    const asked = edge.ask(3, "a.example");
    await edge.requests[0]?.end();
    void edge.ask(1, "b.example");
    await edge.requests[1]?.fail();
    expect(await asked).toEqual(["n0@a.example", null, null]);
    expect(edge.sizes).toEqual([1, 2, 1]);
  });

  it("that must not wait are sent at once, and do not count", async () => {
    const edge = new HeldEdge(1);
    void edge.ask(5, "a.example");
    const question = queryOf("x@a.example", "a.example");
    const alone = edge.batcher.askAlone(question);
    expect(edge.sizes).toEqual([1, 1]);
    await edge.requests[1]?.end();
    expect(await alone).toMatchObject({ outcome: { recipient: "x@a.example" } });
    expect(edge.sizes).toEqual([1, 1]);
  });
});

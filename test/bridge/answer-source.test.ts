import { describe, expect, it } from "vitest";
import type { AnswerSource, Query, SourceOutcome } from "../../src/bridge/answers/answer-source.ts";
import { AnswerCache } from "../../src/bridge/answers/cache.ts";
import { MinGenerations } from "../../src/bridge/answers/min-generations.ts";
import { Resolver } from "../../src/bridge/answers/resolver.ts";
import type { Verdict } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { ACCEPT_GRACE, ALICE, BOB, NOBODY, SECOND, TIMEOUT } from "./support/bench.ts";
import { VirtualTime } from "./support/virtual-time.ts";

/** A source that has the lists on the mail host: no HTTP, no batches, no circuit breaker. */
class Replica implements AnswerSource {
  isAvailable = true;
  generation = 7;
  readonly queries: Query[] = [];
  readonly time = new VirtualTime();
  readonly #minGenerations = new MinGenerations();
  readonly #resolver = new Resolver({
    ports: this.time,
    source: this,
    cache: new AnswerCache(1_000_000, this.#minGenerations),
    minGenerations: this.#minGenerations,
    timeout: TIMEOUT,
    acceptGrace: ACCEPT_GRACE,
    answered: () => undefined,
    newLog: () => undefined,
    fault: (error) => {
      throw error;
    },
  });

  async ask(query: Query): Promise<SourceOutcome> {
    this.queries.push(query);
    if (!this.isAvailable) return { kind: "none", why: "the lists are not loaded yet" };
    const verdict: Verdict = query.recipient === NOBODY ? "unknown" : "deliverable";
    const answer = answerOf(query.recipient, verdict, { generation: this.generation, confirmedAge: 10 });
    return { kind: "answer", answer, askedAt: this.time.clock.now() };
  }

  async said(recipient: string): Promise<string> {
    const { answer, source } = await this.#resolver.resolve(recipient);
    return `${answer.verdict} ${answer.action} ${source}`;
  }
}

describe("another source in the place of the edge", () => {
  it("is asked with the minimum generation and the deadline, and its answers are cached", async () => {
    const replica = new Replica();
    expect(await replica.said(ALICE)).toBe("deliverable accept edge");
    expect(await replica.said(ALICE)).toBe("deliverable accept cache");
    expect(await replica.said(NOBODY)).toBe("unknown reject edge");
    const asked = replica.queries.map(({ recipient, deadline }) => [recipient, deadline]);
    expect(asked).toEqual([
      [ALICE, TIMEOUT],
      [NOBODY, TIMEOUT],
    ]);
    expect(replica.queries.map((query) => query.minGeneration())).toEqual([7, 7]);
  });

  it("is asked once more if its answer is older than one seen, and does not refuse with it", async () => {
    const replica = new Replica();
    await replica.said(ALICE);
    replica.generation = 6;
    expect(await replica.said(NOBODY)).toBe("unavailable defer edge");
    expect(await replica.said(BOB)).toBe("deliverable accept edge");
    expect(replica.queries).toHaveLength(5);
  });

  it("is covered by accept-grace while it has no answer", async () => {
    const replica = new Replica();
    await replica.said(ALICE);
    await replica.said(NOBODY);
    replica.isAvailable = false;
    await replica.time.advance(ACCEPT_GRACE - 10 * SECOND - 1);
    expect(await replica.said(ALICE)).toBe("deliverable accept grace");
    expect(await replica.said(NOBODY)).toBe("unavailable defer none");
    await replica.time.advance(1);
    expect(await replica.said(ALICE)).toBe("unavailable defer none");
  });
});

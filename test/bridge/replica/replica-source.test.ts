import { beforeEach, describe, expect, it } from "vitest";
import type { AnswerSource, Query, SourceOutcome } from "../../../src/bridge/answers/answer-source.ts";
import { AnswerCache } from "../../../src/bridge/answers/cache.ts";
import { type Heard, MinGenerations } from "../../../src/bridge/answers/min-generations.ts";
import { Resolver } from "../../../src/bridge/answers/resolver.ts";
import { type LocalLists, ReplicaSource } from "../../../src/bridge/replica/replica-source.ts";
import type { Answer, Grounds, Verdict } from "../../../src/directory/index.ts";
import { answerOf } from "../support/answers.ts";
import { ACCEPT_GRACE, ALICE, NOBODY, SECOND, TIMEOUT } from "../support/bench.ts";
import { VirtualTime } from "../support/virtual-time.ts";

/** What the replica and the edge say; null: nothing. The edge may also hang. */
class Bench implements LocalLists, AnswerSource {
  readonly time = new VirtualTime();
  local: Answer | null = null;
  /** Whether the replica has to read from disk first. */
  isReading = false;
  away = false;
  known: Heard | null = null;
  /** Answers of the replica that were given. */
  used = 0;
  edge: Answer | "hangs" | null = null;
  /** Milliseconds until the edge answers. */
  latency = 0;
  readonly asked: Query[] = [];
  readonly minGenerations: number[] = [];
  readonly newLogs: number[] = [];
  readonly isAvailable = true;
  readonly resolver: Resolver;

  constructor() {
    const minGenerations = new MinGenerations();
    this.resolver = new Resolver({
      ports: this.time,
      source: new ReplicaSource(this, this, this.time),
      cache: new AnswerCache(1_000_000, minGenerations),
      minGenerations,
      timeout: TIMEOUT,
      acceptGrace: ACCEPT_GRACE,
      answered: () => undefined,
      newLog: (_, incarnation) => this.newLogs.push(incarnation),
      fault: (error) => {
        throw error;
      },
    });
  }

  check(_recipient: string, _domain: string, minGeneration: number): Answer | Promise<Answer> | null {
    this.minGenerations.push(minGeneration);
    return this.isReading && this.local !== null ? Promise.resolve(this.local) : this.local;
  }

  heard(): Heard | null {
    return this.known;
  }

  /** What the replica accepts although it knows of something newer. */
  kept: Answer | null = null;
  /** Whether a list of the domain is here. */
  held = false;
  readonly learned: string[] = [];

  accept(): Promise<Answer | null> {
    return Promise.resolve(this.kept);
  }

  isHere(): boolean {
    return this.held;
  }

  learn(recipient: string, _domain: string, { verdict }: Answer): void {
    this.learned.push(`${recipient} ${verdict}`);
  }

  noteUsed(): void {
    this.used++;
  }

  isAway(): boolean {
    return this.away;
  }

  async ask(query: Query): Promise<SourceOutcome> {
    this.asked.push(query);
    const [askedAt, answer] = [this.time.clock.now(), this.edge];
    if (this.latency > 0) await this.time.timers.sleep(this.latency);
    if (answer === "hangs") await this.time.timers.sleep(60 * SECOND);
    if (answer === null || answer === "hangs") return { kind: "none", why: "no answer from the edge" };
    return { kind: "answer", answer, askedAt };
  }

  /** Verdict, action, source, and the milliseconds that it took. */
  async said(recipient: string): Promise<string> {
    const from = this.time.clock.now();
    const resolved = Promise.resolve(this.resolver.resolve(recipient));
    await this.time.until(resolved);
    const { answer, source } = await resolved;
    const took = this.time.clock.now() - from;
    return `${answer.verdict} ${answer.action} ${source}${took === 0 ? "" : ` ${took}`}`;
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

const confirmed = (verdict: Verdict, grounds: Grounds = {}): Answer =>
  answerOf(verdict === "unknown" ? NOBODY : ALICE, verdict, { incarnation: 1, ...grounds });
const unconfirmed = (verdict: Verdict, grounds: Grounds = {}): Answer =>
  confirmed(verdict, { confirmedAge: null, maxAge: 0, contactAge: 60, ...grounds });

describe("a bridge with a replica", () => {
  it.each([false, true])(
    "gives what the replica confirmed, and asks nothing (read from disk: %s)",
    async (isReading) => {
      bench.isReading = isReading;
      bench.local = confirmed("deliverable");
      expect(await bench.said(ALICE)).toBe("deliverable accept replica");
      bench.local = confirmed("unknown");
      expect(await bench.said(NOBODY)).toBe("unknown reject replica");
      expect(bench.used).toBe(2);
      expect(bench.asked).toEqual([]);
    },
  );

  it("answers at once if the list is in memory", () => {
    bench.local = confirmed("unknown");
    expect(bench.resolver.resolve(NOBODY)).not.toBeInstanceOf(Promise);
  });

  it.each<[string, Answer | null]>([
    ["nothing", null],
    ["no verdict", confirmed("unavailable", { confirmedAge: null })],
    ["not-served, even confirmed", confirmed("not-served", { generation: null })],
    ["a refusal that is not confirmed", unconfirmed("unknown")],
    ["a deferral that is not confirmed", unconfirmed("departed")],
  ])("asks the edge if the replica says %s", async (_, local) => {
    bench.local = local;
    for (const away of [false, true]) {
      bench.away = away;
      bench.edge = answerOf(NOBODY, "unknown");
      expect(await bench.said(NOBODY)).toBe("unknown reject edge");
      await bench.time.advance(60 * SECOND);
      bench.edge = null;
      expect(await bench.said(NOBODY)).toBe("unavailable defer none");
    }
  });

  it("accepts without asking while the Registry does not answer", async () => {
    bench.local = unconfirmed("deliverable");
    bench.away = true;
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    expect(bench.asked).toEqual([]);
  });

  it("asks the edge before it accepts from a list that is behind, and accepts if the edge does not answer", async () => {
    bench.local = unconfirmed("deliverable");
    bench.edge = answerOf(ALICE, "disabled");
    expect(await bench.said(ALICE)).toBe("disabled reject edge");
    await bench.time.advance(60 * SECOND);
    bench.edge = null;
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    bench.edge = answerOf(ALICE, "unavailable", { generation: null, confirmedAge: null });
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    bench.edge = "hangs";
    expect(await bench.said(ALICE)).toBe(`deliverable accept replica ${TIMEOUT / 2}`);
  });

  it("keeps the edge's answer that comes after its own accept", async () => {
    bench.local = unconfirmed("deliverable", { generation: 7 });
    bench.edge = answerOf(ALICE, "deliverable", { generation: 8, incarnation: 1 });
    bench.latency = TIMEOUT / 2 + SECOND;
    expect(await bench.said(ALICE)).toBe(`deliverable accept replica ${TIMEOUT / 2}`);
    await bench.time.advance(60 * SECOND);
    // The edge is away, and the replica has lost the list.
    bench.edge = null;
    bench.local = null;
    bench.latency = 0;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    expect(bench.minGenerations.at(-1)).toBe(8);
  });

  it("does not accept again what the edge refused after its own accept", async () => {
    bench.local = unconfirmed("deliverable", { generation: 7 });
    bench.edge = answerOf(ALICE, "disabled", { generation: 8, incarnation: 1 });
    bench.latency = TIMEOUT / 2 + SECOND;
    expect(await bench.said(ALICE)).toBe(`deliverable accept replica ${TIMEOUT / 2}`);
    await bench.time.advance(2 * SECOND);
    expect(await bench.said(ALICE)).toBe("disabled reject cache");
  });

  it("does not go back to a replica that is older than what the edge said", async () => {
    bench.edge = answerOf(NOBODY, "unknown", { generation: 12, incarnation: 1 });
    await bench.said(NOBODY);
    await bench.time.advance(60 * SECOND);
    bench.edge = null;
    bench.local = confirmed("unknown", { generation: 11 });
    expect(await bench.said(NOBODY)).toBe("unavailable defer none");
    expect(bench.minGenerations.at(-1)).toBe(12);
    bench.local = confirmed("unknown", { generation: 12 });
    expect(await bench.said(NOBODY)).toBe("unknown reject replica");
  });

  it.each<[string, Partial<Grounds>]>([
    ["an older log, however high its numbers", { incarnation: 4, generation: 900 }],
    ["a lower generation", { incarnation: 5, generation: 11 }],
    ["no list", { incarnation: 5, generation: null }],
  ])("takes no refusal of the edge from %s than what it has heard", async (_, grounds) => {
    bench.known = { incarnation: 5, generation: 12 };
    bench.edge = confirmed("unknown", grounds);
    expect(await bench.said(NOBODY)).toBe("unavailable defer edge");
    expect(bench.asked.map((query) => query.minGeneration())).toEqual([12, 12]);
    bench.local = unconfirmed("deliverable", { incarnation: 5, generation: 10 });
    expect(await bench.said(ALICE)).toBe("unavailable defer edge");
    // It goes on if the replica says so.
    bench.kept = bench.local;
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    // Its own list must reach what answers said, not what it has heard.
    expect(bench.minGenerations.at(-1)).toBe(0);
  });

  it.each<[string, Partial<Grounds>]>([
    ["the same generation", { incarnation: 5, generation: 12 }],
    ["a newer log, whose numbers are lower", { incarnation: 6, generation: 1 }],
    ["a newer log without the domain", { incarnation: 6, generation: null }],
  ])("takes a refusal of the edge from %s", async (_, grounds) => {
    bench.known = { incarnation: 5, generation: 12 };
    bench.edge = confirmed("unknown", grounds);
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
  });

  it("knows no head of a domain that its log does not list", async () => {
    bench.known = { incarnation: 5, generation: 0 };
    bench.edge = confirmed("unknown", { incarnation: 5, generation: null });
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
    bench.edge = confirmed("unknown", { incarnation: 4, generation: null });
    expect(await bench.said(`x${NOBODY}`)).toBe("unavailable defer edge");
  });

  it("uses no cached refusal that is older than what it has heard since, and the cached accept", async () => {
    bench.edge = confirmed("unknown", { incarnation: 5, generation: 11 });
    await bench.said(NOBODY);
    bench.edge = confirmed("deliverable", { incarnation: 5, generation: 11 });
    await bench.said(ALICE);
    bench.known = { incarnation: 5, generation: 12 };
    bench.edge = null;
    expect(await bench.said(NOBODY)).toBe("unavailable defer none");
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
  });

  it.each([
    [{ incarnation: 7, generation: 2 }, 2],
    [{ incarnation: 6, generation: 2 }, 9],
    [{ incarnation: 6, generation: 12 }, 12],
    [{ incarnation: 5, generation: 12 }, 9],
  ])("asks the edge for the newest that it knows: %o", async (known, expected) => {
    bench.edge = confirmed("deliverable", { incarnation: 6, generation: 9 });
    await bench.said(ALICE);
    bench.known = known;
    await bench.said(NOBODY);
    expect(bench.asked.at(-1)?.minGeneration()).toBe(expected);
  });

  it("uses a cached accept of the edge that is older than the replica only while neither answers", async () => {
    bench.edge = answerOf(ALICE, "deliverable", { generation: 7, incarnation: 1 });
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    bench.local = confirmed("deliverable", { generation: 8 });
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    bench.local = null;
    bench.edge = confirmed("deliverable", { generation: 8 });
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    bench.local = confirmed("deliverable", { generation: 9 });
    await bench.said(ALICE);
    [bench.local, bench.edge] = [null, null];
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    bench.local = confirmed("unknown", { generation: 9 });
    await bench.said(ALICE);
    bench.local = null;
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it("follows the replica to a newer log, and not back to the older one", async () => {
    bench.local = confirmed("deliverable", { incarnation: 1, generation: 50 });
    await bench.said(ALICE);
    bench.local = confirmed("deliverable", { incarnation: 2, generation: 3 });
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    expect(bench.newLogs).toEqual([2]);
    bench.local = confirmed("deliverable", { incarnation: 1, generation: 51 });
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it("asks the edge before it goes on with a list that is not the newest, also while polls fail", async () => {
    bench.known = { incarnation: 1, generation: 8 };
    bench.local = unconfirmed("deliverable", { generation: 7 });
    bench.kept = bench.local;
    bench.away = true;
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    expect(bench.asked).toHaveLength(1);
    bench.edge = answerOf(ALICE, "unknown", { generation: 8, incarnation: 1 });
    expect(await bench.said(ALICE)).toBe("unknown reject edge");
    expect(bench.learned).toEqual([`${ALICE} unknown`]);
  });

  it("gives it in time if the edge hangs, and does not if the edge says otherwise meanwhile", async () => {
    bench.known = { incarnation: 1, generation: 8 };
    bench.kept = unconfirmed("deliverable", { generation: 7 });
    bench.edge = "hangs";
    expect(await bench.said(ALICE)).toBe(`deliverable accept replica ${TIMEOUT / 2}`);
    const asked = Promise.resolve(bench.resolver.resolve(ALICE));
    await bench.time.advance(SECOND);
    bench.kept = null;
    await bench.time.advance(TIMEOUT);
    expect((await asked).answer.action).toBe("defer");
  });

  it("learns from answers that count, and from one without a verdict that names its log", async () => {
    bench.edge = confirmed("unknown", { generation: 8 });
    await bench.said(NOBODY);
    bench.edge = confirmed("unavailable", { generation: null, incarnation: 2 });
    await bench.said(`x${NOBODY}`);
    bench.known = { incarnation: 2, generation: 9 };
    bench.edge = confirmed("deliverable", { generation: 8, incarnation: 2 });
    await bench.said(ALICE);
    expect(bench.learned.slice(0, 2)).toEqual([`${NOBODY} unknown`, `x${NOBODY} unavailable`]);
    expect(bench.learned.filter((line) => line.startsWith(ALICE))).toEqual([]);
  });

  it("learns the log that an answer without a verdict names also when it goes on with an accept of its own", async () => {
    bench.local = unconfirmed("deliverable", { generation: 7 });
    bench.edge = confirmed("unavailable", { generation: null, incarnation: 2 });
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    expect(bench.learned).toEqual([`${ALICE} unavailable`]);
  });

  it("takes no answer that a domain is gone, without a list that ends it, if a list is here", async () => {
    bench.held = true;
    bench.edge = confirmed("not-served", { generation: null, incarnation: 2 });
    expect(await bench.said(NOBODY)).toBe("unavailable defer none");
    bench.kept = unconfirmed("deliverable", { generation: 7 });
    expect(await bench.said(ALICE)).toBe("deliverable accept replica");
    bench.held = false;
    expect(await bench.said(`y${NOBODY}`)).toBe("not-served reject edge");
  });

  it("gives a refusal only until its confirmation ends", async () => {
    bench.local = confirmed("unknown", { maxAge: 10 });
    const resolution = await bench.resolver.resolve(NOBODY);
    expect(resolution.until).toBe(bench.time.clock.now() + 10 * SECOND);
  });
});

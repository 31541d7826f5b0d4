import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Answer } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { ACCEPT_GRACE, away, Bench, DAY, TIMEOUT } from "./support/bench.ts";
import { settle } from "./support/virtual-time.ts";

/*
 * The laws at the bridge, under any course of events: publishes, questions, isolates that are up to a window
 * behind, an edge that is slow, away or back, hours that go by. What is checked is what a mail server sees.
 */

const WINDOW = 30_000;
const NAMES = ["ann", "ben", "cy"].map((name) => `${name}@example.com`);

type Event =
  | { readonly kind: "publish"; readonly name: number }
  /** `behind`: how old the confirmation is of the isolate that answers, as a share of the window. */
  | {
      readonly kind: "ask";
      readonly name: number;
      readonly behind: readonly number[];
      readonly latency: number;
    }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "edge"; readonly state: "up" | "down" | "vague" };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("publish" as const), name: fc.nat(NAMES.length - 1) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      name: fc.nat(NAMES.length - 1),
      behind: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 2 }),
      latency: fc.constantFrom(0, 0, 10, 900, 2_000, 3_500),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 2 * WINDOW }), fc.integer({ min: 0, max: 8 * DAY })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("edge" as const),
      state: fc.constantFrom("up" as const, "up" as const, "down" as const, "vague" as const),
    }),
  },
);

/** What was published: for each generation since when, and who was in it. */
class Registry {
  readonly generations: { readonly at: number; readonly names: ReadonlySet<string> }[] = [
    { at: Number.NEGATIVE_INFINITY, names: new Set(NAMES.slice(0, 2)) },
  ];

  toggle(name: string, at: number): void {
    const names = new Set(this.generations.at(-1)?.names);
    if (!names.delete(name)) names.add(name);
    this.generations.push({ at, names });
  }

  /** Index of the generation that was the newest at a time. */
  at(time: number): number {
    return this.generations.findLastIndex((generation) => generation.at <= time);
  }

  /** Whether a name was in, or out of, the list at some time between two. */
  was(isIn: boolean, name: string, from: number, to: number): boolean {
    return this.generations
      .slice(this.at(from), this.at(to) + 1)
      .some((generation) => generation.names.has(name) === isIn);
  }
}

interface Seen {
  readonly name: string;
  readonly answer: Answer;
  readonly source: string;
  readonly askedAt: number;
  readonly at: number;
  /** Highest generation that had reached the bridge when the question was asked. */
  readonly minGeneration: number;
}

async function live(events: readonly Event[]): Promise<{ registry: Registry; seen: Seen[] }> {
  const registry = new Registry();
  const seen: Seen[] = [];
  let state: "up" | "down" | "vague" = "up";
  let delays: number[] = [];
  let latency = 0;
  let highest = 0;
  const bench = new Bench(async ({ recipient }) => {
    const now = bench.time.clock.now();
    const confirmed = now - WINDOW * (delays.shift() ?? 0);
    const generation = registry.at(confirmed);
    const said =
      state === "down"
        ? away()
        : state === "vague"
          ? answerOf(recipient, "unavailable", { generation: null })
          : answerOf(
              recipient,
              registry.generations[generation]?.names.has(recipient) ? "deliverable" : "unknown",
              {
                generation,
                confirmedAge: Math.ceil((now - confirmed) / 1_000),
                maxAge: Math.floor((confirmed + WINDOW - now) / 1_000),
              },
            );
    if (latency > 0) await bench.time.timers.sleep(latency);
    if (!(said instanceof Error) && said.generation !== null) highest = Math.max(highest, said.generation);
    return said;
  });
  const asked: Promise<unknown>[] = [];
  for (const one of events) {
    const now = bench.time.clock.now();
    if (one.kind === "publish") registry.toggle(NAMES[one.name] as string, now);
    else if (one.kind === "wait") await bench.time.advance(one.ms);
    else if (one.kind === "edge") state = one.state;
    else {
      const name = NAMES[one.name] as string;
      const minGeneration = highest;
      delays = [...one.behind];
      latency = one.latency;
      asked.push(
        Promise.resolve(bench.resolver.resolve(name)).then(({ answer, source }) =>
          seen.push({ name, answer, source, askedAt: now, at: bench.time.clock.now(), minGeneration }),
        ),
      );
      await settle();
    }
  }
  await bench.time.advance(TIMEOUT);
  await Promise.all(asked);
  return { registry, seen };
}

describe("whatever happens", () => {
  const each = (check: (seen: Seen, registry: Registry) => void) => async (): Promise<void> => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
        const { registry, seen } = await live(events);
        for (const one of seen) check(one, registry);
      }),
    );
  };

  it(
    "a refusal was true at some time within the last window (law 2)",
    each(({ name, answer, at }, registry) => {
      if (answer.action === "reject") expect(registry.was(false, name, at - WINDOW, at)).toBe(true);
    }),
  );

  it(
    "an accept was true at some time within the last accept-grace (law 2)",
    each(({ name, answer, at }, registry) => {
      if (answer.action === "accept") {
        expect(registry.was(true, name, at - ACCEPT_GRACE - WINDOW - TIMEOUT, at)).toBe(true);
      }
    }),
  );

  it(
    "nothing is refused or answered from the cache from a generation older than one seen (law 3)",
    each(({ answer, source, minGeneration }) => {
      if (answer.action === "reject" || source === "cache") {
        expect(answer.generation).toBeGreaterThanOrEqual(minGeneration);
      }
    }),
  );

  it(
    "an accept from a generation older than one seen goes on without the edge alone, and was true within the last day",
    each(({ name, answer, source, minGeneration, at }, registry) => {
      if (source !== "grace" || (answer.generation as number) >= minGeneration) return;
      expect(registry.was(true, name, at - DAY - WINDOW - TIMEOUT, at)).toBe(true);
    }),
  );

  it("no accept goes on from before a refusal of the same recipient", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
        const { seen } = await live(events);
        for (const { name, answer, askedAt } of seen.filter(({ source }) => source === "grace")) {
          const refused = seen.filter(
            (it) => it.name === name && it.answer.action === "reject" && it.at < askedAt,
          );
          for (const it of refused) expect(answer.generation).toBeGreaterThan(it.answer.generation as number);
        }
      }),
    );
  });

  it(
    "there is an answer in time",
    each(({ askedAt, at }) => {
      expect(at - askedAt).toBeLessThanOrEqual(TIMEOUT);
    }),
  );

  it("and these cases cover every kind of answer", async () => {
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
        for (const { answer, source } of (await live(events)).seen) kinds.add(`${source} ${answer.action}`);
      }),
    );
    expect([...kinds].sort()).toEqual([
      "cache accept",
      "cache reject",
      "edge accept",
      "edge defer",
      "edge reject",
      "grace accept",
      "none defer",
    ]);
  });
});

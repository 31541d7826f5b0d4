/* What an isolate reports: log lines, and counts that it sends with its questions. */
import { expect, it } from "vitest";
import type { Count, Question } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { FaultLog } from "../../src/edge/fault-log.ts";
import type { FaultLine } from "../../src/edge/ports.ts";
import { Tally } from "../../src/reader/tally.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";
import { World } from "../../testing/world.ts";

const MINUTE = 60_000;

function log() {
  const clock = new VirtualTime();
  const lines: FaultLine[] = [];
  const faults = new FaultLog({ clock, log: (line) => lines.push(line) });
  return { clock, lines, faults };
}

it("writes at most one line a minute for each kind and domain, with how often it occurred", async () => {
  const { clock, lines, faults } = log();
  for (let second = 0; second < 130; second++) {
    faults.write("key_mismatch", "a.example", "of a");
    if (second === 5) faults.write("key_mismatch", "b.example", "of b");
    if (second === 6) faults.write("kv_unreadable", null, "away");
    await clock.advance(1_000);
  }
  expect(lines.map(({ kind, domain, count }) => [kind, domain, count])).toEqual([
    ["key_mismatch", "a.example", 1],
    ["key_mismatch", "b.example", 1],
    ["kv_unreadable", null, 1],
    ["key_mismatch", "a.example", 60],
    ["key_mismatch", "a.example", 60],
  ]);
});

it("is bounded if thousands of domains are under another key: one line a minute for all the rest", async () => {
  const { clock, lines, faults } = log();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5_000; i++) faults.write("key_mismatch", `d${i}.example`, "x".repeat(5_000));
    await clock.advance(MINUTE);
  }
  expect(lines.length).toBe(3 * 201);
  expect(lines.every(({ detail }) => detail.length <= 1_000)).toBe(true);
});

it("combines domains and faults past the limit between two questions, and loses none", () => {
  const tally = new Tally();
  const answer = { verdict: "unknown", mode: "enforce" } as Answer;
  for (let i = 0; i < 1_000; i++) {
    tally.countAnswer(answer, `d${i}.example`);
    tally.countFault("damaged_blob", `d${i}.example`);
  }
  const taken = tally.take() as readonly Count[];
  const sumOf = (mode: string): number =>
    taken.filter((each) => each[1] === mode).reduce((sum, each) => sum + each[3], 0);
  expect([sumOf("enforce"), sumOf("fault")]).toEqual([1_000, 1_000]);
  expect(taken.length).toBeLessThanOrEqual(2 * 66);
  expect(tally.take()).toBeUndefined();
});

it("sends its counts with its next question, once, whether that succeeds or not", async () => {
  const world = new World();
  const isolate = world.isolate();
  await world.publish(isolate, "a.example", ["alice"]);
  const sent = (): (readonly Count[] | undefined)[] =>
    world
      .registry()
      .calls.filter(({ method }) => method === "question")
      .map(({ args }) => (args[0] as Question).counts);
  await isolate.check("nobody@a.example");
  await isolate.check("alice@a.example");
  await isolate.idle();
  const before = sent().length;
  world.registry().fault = () => ({ kind: "lost" });
  await world.clock.advance(MINUTE);
  await isolate.check("alice@a.example");
  await isolate.idle();
  world.registry().fault = () => undefined;
  await world.clock.advance(MINUTE);
  await isolate.check("alice@a.example");
  await isolate.idle();
  const counts = sent()
    .slice(before)
    .flatMap((each) => each ?? []);
  expect(counts.filter(([, , word]) => word === "unknown")).toEqual([["a.example", "enforce", "unknown", 1]]);
  expect(counts.find(([, mode]) => mode === "fault")?.[2]).toBe("registry_unreachable");
});

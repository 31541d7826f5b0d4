/* Replies of one connection, in the order of its questions. */
import { expect, it } from "vitest";
import { ReplyQueue } from "../../src/bridge/listeners/reply-queue.ts";
import { line } from "../../src/bridge/protocols/line.ts";
import { answerOf } from "./support/answers.ts";

function ask(recipient: string) {
  const exchange = line.exchange(recipient);
  return exchange.kind === "ask" ? exchange : expect.fail("it is answered at once");
}
const resolved = (recipient: string, verdict: "deliverable" | "unknown", until?: number) => ({
  answer: answerOf(recipient, verdict),
  source: "edge" as const,
  ...(until === undefined ? {} : { until }),
});
const codesIn = (text: string): string[] => text.split("\n").flatMap((reply) => reply.slice(0, 3) || []);

it("a reply waits for those before it, and is sent once", () => {
  const queue = new ReplyQueue();
  const [a, b] = [ask("a@example.com"), ask("b@example.com")];
  const slow = queue.reserve(a);
  queue.addAnswer(b, resolved("b@example.com", "unknown"));
  queue.add("999 last\n");
  expect([queue.take(0), queue.length]).toEqual(["", 3]);
  slow.answer(resolved("a@example.com", "deliverable"));
  expect(codesIn(queue.take(0))).toEqual(["250", "550", "999"]);
  expect([queue.take(0), queue.length]).toEqual(["", 0]);
});

it("a refusal that waits is a deferral from its end on", () => {
  for (const [now, code] of [
    [99, "550"],
    [100, "451"],
  ] as const) {
    const queue = new ReplyQueue();
    const slow = queue.reserve(ask("a@example.com"));
    queue.addAnswer(ask("b@example.com"), resolved("b@example.com", "unknown", 100));
    slow.answer(resolved("a@example.com", "deliverable"));
    expect(codesIn(queue.take(now))).toEqual(["250", code]);
  }
});

it("a fault takes the place of a reply that is missing, and of no other", () => {
  const queue = new ReplyQueue();
  const [a, b] = [queue.reserve(ask("a@example.com")), queue.reserve(ask("b@example.com"))];
  a.answer(resolved("a@example.com", "deliverable"));
  for (const each of [a, b]) each.fail("451 internal error\n");
  expect(codesIn(queue.take(0))).toEqual(["250", "451"]);
});

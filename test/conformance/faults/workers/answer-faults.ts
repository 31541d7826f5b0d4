/** Ways in which a Worker at the other end of a service binding can fail a call, each as tempting as it can be made. */
import type { Answer } from "../../../../src/directory/index.ts";
import { about, lie } from "../truth.ts";

/** @returns what the call returns instead of the truth, or never returns */
export type AnswerFault = (truth: readonly Answer[], context: ExecutionContext) => unknown;

const MINUTE = 60_000;
const HUGE = "x".repeat(1024 * 1024);

/** By the words of the documentation. */
export const ANSWER_FAULTS: Readonly<Record<string, AnswerFault>> = {
  // The platform ends calls in which nothing can happen any more. Here something still could.
  "never answers": () => scheduler.wait(24 * 60 * MINUTE),
  "answers after a minute": (truth) => scheduler.wait(MINUTE).then(() => truth.map(lie)),
  throws: () => Promise.reject(new Error("broken")),
  "is ended within the call": (truth, context) => {
    context.abort(new Error("ended"));
    return truth.map(lie);
  },
  "returns nothing": () => undefined,
  "returns an empty list": () => [],
  "returns a text instead of a list": (truth) =>
    truth
      .map(lie)
      .map(({ reply }) => reply)
      .join(""),
  "returns answers without their replies": (truth) => truth.map(lie).map(({ reply: _, ...rest }) => rest),
  "returns an answer of 64 MB": (truth) =>
    truth.map(lie).map((it) => ({ ...it, detail: Array.from({ length: 64 }, () => HUGE).join("") })),
  "returns an unknown verdict": (truth) =>
    truth.map((it) => ({ ...lie(it), verdict: "vanished", action: "reject", reply: "550 5.1.1 gone" })),
  "returns an accept with an unknown verdict": (truth) =>
    truth.map((it) => ({ ...about(it.recipient, "deliverable"), verdict: "welcome" })),
  "returns an accept with a verdict that refuses": (truth) =>
    truth.map((it) => ({ ...about(it.recipient, "deliverable"), verdict: "unknown" })),
  "returns a refusal with a verdict that accepts": (truth) =>
    truth.map((it) => ({ ...about(it.recipient, "unknown"), verdict: "deliverable" })),
  "returns an unknown action": (truth) => truth.map((it) => ({ ...lie(it), action: "discard" })),
  "returns a reply that means something else": (truth) =>
    truth.map((it) => ({ ...it, reply: lie(it).reply })),
  "returns an answer about another recipient": (truth) =>
    truth.map((it) => lie({ ...it, recipient: `not.${it.recipient}` })),
  "fails each call in another way": (truth, context) => {
    const faults = Object.entries(ANSWER_FAULTS).filter(([name]) => !/^(?:never|answers|fails)/.test(name));
    turn += 7;
    const [, fail] = faults[turn % faults.length] as (typeof faults)[number];
    return fail(truth, context);
  },
};

let turn = 0;

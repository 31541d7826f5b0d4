import { type Answer, answer, type Grounds, type Verdict } from "../../../src/directory/index.ts";

/** An answer as an edge with the usual window gives it: generation 7 of the recipient's domain, just confirmed. */
export function answerOf(recipient: string, verdict: Verdict, grounds: Grounds = {}): Answer {
  return answer(recipient, verdict, {
    domain: recipient.slice(recipient.lastIndexOf("@") + 1),
    generation: 7,
    mode: "enforce",
    confirmedAge: 1,
    // The question that confirmed it was contact too.
    contactAge: grounds.confirmedAge === undefined ? 1 : grounds.confirmedAge,
    maxAge: 29,
    ...grounds,
  });
}

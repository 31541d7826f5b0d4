/** Answers for the matrix: the truth, and its opposite. Also used in Workers, so without anything of Node. */
import { type Answer, answer, type Verdict } from "../../../src/directory/index.ts";

/** Seconds of max_age of answers about names with "brief" in them. */
export const BRIEF = 0.3;

/** A well-formed answer. */
export const about = (recipient: string, verdict: Verdict): Answer =>
  answer(recipient, verdict, {
    matched: verdict === "deliverable" ? "mailbox" : null,
    domain: "example.com",
    generation: 7,
    mode: "enforce",
    confirmedAge: 1,
    contactAge: 1,
    maxAge: recipient.includes("brief") ? BRIEF : 29,
  });

/** The opposite of the truth, well-formed: what must not be believed under another status than 200. */
export const lie = ({ recipient, verdict }: Answer): Answer =>
  about(recipient, verdict === "deliverable" ? "unknown" : "deliverable");

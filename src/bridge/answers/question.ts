import { type Answer, answer, parseRecipient, quoteLocalPart } from "../../directory/index.ts";

/** What to ask about a recipient, in the one spelling under which it is asked and cached. */
export type Question =
  | { readonly kind: "ask"; readonly text: string; readonly domain: string }
  /** No list can change the answer, so nothing is asked. */
  | { readonly kind: "settled"; readonly answer: Answer };

/** A question that a list has to answer. */
export type OpenQuestion = Extract<Question, { kind: "ask" }>;

/** Nearly all recipients: the rules below would leave them unchanged, whatever the policy. */
const OWN_SPELLING = /^[a-z0-9_+=-]+(?:\.[a-z0-9_+=-]+)*@[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
/** Up to this length no label, domain or local part can be too long. */
const SHORT = 64;

/**
 * Reads a recipient as an MTA sent it. Spellings that mean the same recipient under every policy become one: the domain
 * in A-labels, the local part in NFC and quoted only if it must be. Most MTAs remove the quotes, and the bare local part
 * would be refused as bad syntax. Case stays: whether it matters is the domain's policy.
 */
export function questionOf(text: string): Question {
  if (text.length <= SHORT && OWN_SPELLING.test(text)) {
    return { kind: "ask", text, domain: text.slice(text.indexOf("@") + 1) };
  }
  const recipient = parseRecipient(text);
  switch (recipient.kind) {
    case "postmaster":
      return { kind: "settled", answer: answer(text, "deliverable", { matched: "postmaster" }) };
    case "malformed":
      return { kind: "settled", answer: answer(text, "malformed", { detail: recipient.why }) };
    case "unlistable": {
      // No list can contain it, but its domain may be in observe mode.
      const { local, domain } = recipient;
      return { kind: "ask", text: `${local}@${domain}`, domain };
    }
    case "literal":
      return { kind: "settled", answer: answer(text, "not-served") };
    case "mailbox": {
      const { local, domain } = recipient;
      return { kind: "ask", text: `${quoteLocalPart(local.normalize("NFC"))}@${domain}`, domain };
    }
  }
}

import type { Matched } from "../address/canonical.ts";
import type { Mode } from "../address/policy.ts";

/** What the front end does with the recipient. */
export type Action = "accept" | "reject" | "defer";

interface Meaning {
  readonly action: Action;
  /** SMTP reply code and enhanced status code (RFC 3463 and its IANA registry). */
  readonly code: string;
  /** The text of the reply, after the recipient. */
  readonly text: string;
}

/** Every verdict, with the front end's action and the SMTP reply. */
export const VERDICTS = {
  deliverable: { action: "accept", code: "250 2.1.5", text: "recipient ok" },
  unknown: { action: "reject", code: "550 5.1.1", text: "no such mailbox here" },
  disabled: { action: "reject", code: "550 5.2.1", text: "mailbox is disabled" },
  moved: { action: "reject", code: "550 5.1.6", text: "mailbox has moved, no forwarding address" },
  "not-served": { action: "reject", code: "550 5.7.1", text: "domain is not served here" },
  malformed: { action: "reject", code: "501 5.1.3", text: "bad recipient address syntax" },
  departed: {
    action: "defer",
    code: "450 4.2.1",
    text: "the mailbox list changed recently, try again later",
  },
  full: { action: "defer", code: "452 4.2.2", text: "mailbox is full" },
  throttled: { action: "defer", code: "450 4.7.1", text: "too many questions, try again later" },
  unavailable: {
    action: "defer",
    code: "451 4.3.0",
    text: "recipient cannot be checked now, try again later",
  },
} as const satisfies Record<string, Meaning>;

export type Verdict = keyof typeof VERDICTS;

/** The answer about one recipient, exactly as in the body of a response. */
export interface Answer {
  /** The recipient as it was sent. */
  readonly recipient: string;
  readonly verdict: Verdict;
  readonly action: Action;
  /** A complete SMTP reply line. */
  readonly reply: string;
  readonly matched: Matched | null;
  /** The domain in A-labels; null for a bare postmaster, and if no domain can be read. */
  readonly domain: string | null;
  readonly generation: number | null;
  /** Incarnation of the Registry's log that gave `generation`, or said that there is none; else null. */
  readonly incarnation: number | null;
  readonly mode: Mode | null;
  /** Seconds since the question to the Registry whose answer confirmed this; null if none did. */
  readonly confirmed_age: number | null;
  /** Seconds since the last contact with the Registry that this relies on, confirmed or not; null if there is none. */
  readonly contact_age: number | null;
  /** Seconds for which the answer may be reused; 0 for every deferral. */
  readonly max_age: number;
  /** In observe and in defer mode: the reply of enforce mode, if it is another one. */
  readonly observed?: string;
  /** The reason, for people. */
  readonly detail?: string;
}

/** Octets of a reply line, without CR LF (RFC 5321 §4.5.3.1.5 allows 512 with them). */
const MAX_REPLY = 500;

/** The SMTP reply line of a verdict: printable ASCII, at most 500 octets, with the recipient. */
export const replyLine = (verdict: Verdict, recipient: string, refusalText: string | null = null): string =>
  lineOf(VERDICTS[verdict], recipient, refusalText);

function lineOf({ code, text, action }: Meaning, recipient: string, refusalText: string | null): string {
  const rest = action === "reject" && refusalText ? `${text}; ${refusalText}` : text;
  const room = MAX_REPLY - code.length - rest.length - 5;
  // join() gives a flat string. A template gives a rope, which doubles the time of JSON.stringify.
  return [code, " <", printable(recipient, room), ">: ", rest].join("");
}

const PRINTABLE = /^[\x20-\x7e]*$/;

function printable(text: string, room: number): string {
  const cut = text.slice(0, room);
  return PRINTABLE.test(cut) ? cut : cut.replace(/[^\x20-\x7e]/gu, "?");
}

/** Verdicts that observe mode accepts, and whose refusal defer mode defers; the word in `verdict` stays (law 4). */
const SOFTENED: ReadonlySet<Verdict> = new Set([
  "unknown",
  "disabled",
  "moved",
  "malformed",
  "full",
  "departed",
]);

/** What defer mode says instead of a refusal. */
const LATER: Meaning = {
  action: "defer",
  code: "450 4.7.1",
  text: "recipient is not accepted at present, try again later",
};

/** What a verdict means in a mode. */
function meaningIn(verdict: Verdict, mode: Mode | null): Meaning {
  const meaning: Meaning = VERDICTS[verdict];
  if (!SOFTENED.has(verdict)) return meaning;
  if (mode === "observe") return VERDICTS.deliverable;
  return mode === "defer" && meaning.action === "reject" ? LATER : meaning;
}

/** What an answer is based on. */
export interface Grounds {
  readonly matched?: Matched | null;
  readonly domain?: string | null;
  readonly generation?: number | null;
  readonly incarnation?: number | null;
  readonly mode?: Mode | null;
  readonly confirmedAge?: number | null;
  readonly contactAge?: number | null;
  readonly maxAge?: number;
  readonly refusalText?: string | null;
  readonly detail?: string | undefined;
}

/** The front end's action for a verdict in a mode. */
export const actionOf = (verdict: Verdict, mode: Mode | null): Action => meaningIn(verdict, mode).action;

/**
 * Whether an answer must be fresh (law 2): it refuses, or would but for defer mode, so that a new mailbox waits no longer
 * in that mode than in enforce mode.
 */
export const needsFreshness = (verdict: Verdict, mode: Mode | null): boolean =>
  VERDICTS[verdict].action === "reject" && actionOf(verdict, mode) !== "accept";

/** Builds an answer from a verdict and its grounds. The mode is applied only here. */
export function answer(recipient: string, verdict: Verdict, grounds: Grounds = {}): Answer {
  const mode = grounds.mode ?? null;
  const reply = replyLine(verdict, recipient, grounds.refusalText);
  const meaning = meaningIn(verdict, mode);
  const { action } = meaning;
  const isSoftened = meaning !== VERDICTS[verdict];
  const whole: { -readonly [K in keyof Answer]: Answer[K] } = {
    recipient,
    verdict,
    action,
    reply: isSoftened ? lineOf(meaning, recipient, null) : reply,
    matched: grounds.matched ?? null,
    domain: grounds.domain ?? null,
    generation: grounds.generation ?? null,
    incarnation: grounds.incarnation ?? null,
    mode,
    confirmed_age: grounds.confirmedAge ?? null,
    contact_age: grounds.contactAge ?? null,
    max_age: action === "defer" ? 0 : (grounds.maxAge ?? 0),
  };
  if (isSoftened) whole.observed = reply;
  if (grounds.detail !== undefined) whole.detail = grounds.detail;
  return whole;
}

/**
 * A deferral because the answer is not known: never a verdict about the recipient.
 * @param incarnation the log whose state is not sufficient, if known
 */
export const unavailable = (
  recipient: string,
  detail: string,
  domain: string | null = null,
  incarnation: number | null = null,
): Answer => answer(recipient, "unavailable", { domain, incarnation, detail });

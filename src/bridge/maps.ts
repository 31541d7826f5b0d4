import { type Answer, toALabel, VERDICTS } from "../directory/index.ts";

/** What a lookup table says. */
export type MapReply =
  | { readonly kind: "found"; readonly value: string }
  | { readonly kind: "not-found" }
  | { readonly kind: "temporary"; readonly why: string };

/** A lookup table that MTAs ask: which recipient a key asks about, and what its answer makes the table say. */
export interface LookupMap {
  /** The recipient to ask about, or what is said without asking. */
  read(key: string): string | MapReply;
  reply(answer: Answer): MapReply;
}

const NOT_FOUND: MapReply = { kind: "not-found" };

/**
 * Whether a mailbox exists. Yes and no are all that it can say: disabled and moved are "no", and a domain that
 * is not served is "temporary", since an MTA that asks here believes that it serves it. The value is no word of
 * access(5): pasted as an access map by mistake, this one defers, and does not accept.
 */
const recipients: LookupMap = {
  read: (key) => key,
  reply(answer) {
    if (answer.action === "accept") return { kind: "found", value: "deliverable" };
    if (answer.action === "reject" && answer.verdict !== "not-served") return NOT_FOUND;
    return { kind: "temporary", why: replyLineOf(answer) };
  },
};

/** Whether a domain is served: it is, if anything but "not served" is said about its postmaster. */
const domains: LookupMap = {
  read(key) {
    // Addresses, address literals, `*`, `.parent` and an empty key are no domains, and none is ever served.
    const domain = toALabel(key);
    return domain === null ? NOT_FOUND : `postmaster@${domain}`;
  },
  reply(answer) {
    if (answer.verdict === "not-served") return NOT_FOUND;
    if (answer.verdict === "unavailable" || answer.verdict === "throttled") {
      return { kind: "temporary", why: replyLineOf(answer) };
    }
    return { kind: "found", value: "served" };
  },
};

/** Actions of access(5): every verdict in its own words. */
const access: LookupMap = {
  read: (key) => key,
  reply: (answer) => ({ kind: "found", value: accessAction(answer) }),
};

export const MAPS: Readonly<Record<string, LookupMap>> = { recipients, domains, access };

/** The action for Postfix: DUNNO leaves the recipient to the restrictions that follow. */
export const accessAction = (answer: Answer): string =>
  answer.action === "accept" ? "DUNNO" : replyLineOf(answer);

/** The answer's reply line. Never a code without a text: Postfix takes that for an accept. */
export function replyLineOf({ reply, verdict }: Answer): string {
  return /^\d{3} \d\.\d+\.\d+ +\S/.test(reply) ? reply : `${reply.trimEnd()} ${VERDICTS[verdict].text}`;
}

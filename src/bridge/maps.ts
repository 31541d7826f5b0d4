import { toALabel } from "../directory/index.ts";
import { access, replyLineOf } from "./access-map.ts";
import type { LookupMap, MapReply } from "./lookup-map.ts";

const NOT_FOUND: MapReply = { kind: "not-found" };

/**
 * Whether a mailbox exists. Yes and no are all that it can say: disabled and moved are "no", and a domain that
 * is not served is "temporary", since an MTA that asks here believes that it serves it. The value is no word of
 * access(5): pasted as an access map by mistake, this one defers, and does not accept.
 */
const recipients: LookupMap = {
  read: (key) => ({ kind: "ask", recipient: key, reply: recipients.reply }),
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
    if (domain === null) return NOT_FOUND;
    return { kind: "ask", recipient: `postmaster@${domain}`, reply: domains.reply };
  },
  reply(answer) {
    if (answer.verdict === "not-served") return NOT_FOUND;
    if (answer.verdict === "unavailable" || answer.verdict === "throttled") {
      return { kind: "temporary", why: replyLineOf(answer) };
    }
    return { kind: "found", value: "served" };
  },
};

export const MAPS: Readonly<Record<string, LookupMap>> = { recipients, domains, access };

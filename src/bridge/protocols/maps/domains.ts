import { toALabel } from "../../../directory/index.ts";
import { replyLineOf } from "../reply.ts";
import { type LookupMap, NOT_FOUND } from "./lookup-map.ts";

/** Whether a domain is served: yes, unless the answer about its postmaster is "not served". */
export const domains: LookupMap = {
  lookup(key) {
    // Addresses, address literals, `*`, `.parent` and an empty key are not domains, and none is ever served.
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

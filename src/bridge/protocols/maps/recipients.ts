import { replyLineOf } from "../reply.ts";
import { type LookupMap, NOT_FOUND } from "./lookup-map.ts";

/**
 * Whether a mailbox exists. The map can only say yes or no: disabled and moved are "no". A domain that is not served
 * is "temporary", since an MTA that asks here believes that it serves it. The value is not an action of access(5):
 * used as an access map by mistake, this map defers instead of accepting.
 */
export const recipients: LookupMap = {
  lookup: (key) => ({ kind: "ask", recipient: key, reply: recipients.reply }),
  reply(answer) {
    if (answer.action === "accept") return { kind: "found", value: "deliverable" };
    if (answer.action === "reject" && answer.verdict !== "not-served") return NOT_FOUND;
    return { kind: "temporary", why: replyLineOf(answer) };
  },
};

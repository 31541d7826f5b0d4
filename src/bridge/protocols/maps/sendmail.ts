import { sendmailReply } from "./access.ts";
import type { LookupMap } from "./lookup-map.ts";

/**
 * What `access` answers to `to:`, for a ruleset: `OK`, or `ERROR:5.1.1:"550 text"`. It has a name of its own, since Sendmail
 * sends the name of its map, and Debian's configuration already has one that is called access. Every key is a recipient.
 */
export const sendmail: LookupMap = {
  lookup: (key) => ({ kind: "ask", recipient: key, reply: sendmailReply }),
  reply: sendmailReply,
};

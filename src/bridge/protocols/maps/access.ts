import type { Answer } from "../../../directory/index.ts";
import { accessAction, replyLineOf } from "../reply.ts";
import {
  isRecipient,
  type Lookup,
  type LookupMap,
  type MapReply,
  NOT_FOUND,
  type TaggedKey,
} from "./lookup-map.ts";

/**
 * Tags that Sendmail puts before its keys (cf/README, FEATURE(`access_db')). No other word counts as a tag: before a
 * colon it may be part of a local part whose quotes the mail server removed.
 */
const TAGS: ReadonlySet<string> = new Set([
  "to",
  "from",
  "connect",
  "spam",
  "clientrate",
  "clientconn",
  "greetpause",
  "quarantine",
  "authinfo",
  "certissuer",
  "certsubject",
  "srv_features",
  "clt_features",
  "try_tls",
  "tls_clt",
  "tls_srv",
  "tls_rcpt",
  "tls_clt_features",
  "tls_srv_features",
]);

/** Splits a key at its tag. @returns null if it has none */
export function tagOf(key: string): TaggedKey | null {
  const colon = key.indexOf(":");
  const tag = colon < 0 ? "" : key.slice(0, colon).toLowerCase();
  return TAGS.has(tag) ? { tag, rest: key.slice(colon + 1) } : null;
}

/**
 * Actions of access(5): each verdict with its own reply. The map answers about recipients only: everything else that a
 * mail server looks up in its access database (hosts, networks, senders, TLS) is not found. Sendmail asks with a tag
 * first and then without it: that second key is about the same thing as the first.
 */
export const access: LookupMap = {
  lookup(key, previous) {
    const tagged = tagOf(key);
    if (tagged?.tag === "to") return lookUpRecipient(tagged.rest, sendmailReply);
    if (tagged !== null) return NOT_FOUND;
    if (previous !== undefined && previous.tag !== "to" && previous.rest === key) return NOT_FOUND;
    return lookUpRecipient(key, access.reply);
  },
  reply: (answer) => ({ kind: "found", value: accessAction(answer) }),
};

function lookUpRecipient(key: string, reply: LookupMap["reply"]): Lookup {
  return isRecipient(key) ? { kind: "ask", recipient: key, reply } : NOT_FOUND;
}

/**
 * The words of Sendmail's access database, which answers 553 to unknown ones such as DUNNO. OK lets the recipient pass and does
 * not allow relaying. The text is quoted, or the rulesets would split it; Sendmail itself adds the recipient.
 */
export function sendmailReply(answer: Answer): MapReply {
  if (answer.action === "accept") return { kind: "found", value: "OK" };
  const [, code, enhanced, text = ""] =
    /^(\d{3}) (\d\.\d+\.\d+) +(?:<.*?>: )?(.*)$/.exec(replyLineOf(answer)) ?? [];
  return { kind: "found", value: `ERROR:${enhanced}:"${code} ${text.replace(/["\\]/g, "'")}"` };
}

import { type Answer, VERDICTS } from "../directory/index.ts";
import type { LookupMap, MapReply, Read, TaggedKey } from "./lookup-map.ts";

/**
 * Tags that Sendmail puts before its keys (cf/README, FEATURE(`access_db')). Only these: another word before a colon
 * may belong to a local part whose quotes the mail server took off.
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

const NOT_FOUND: MapReply = { kind: "not-found" };
/** A bare postmaster is a recipient (RFC 5321 §4.5.1); no other text without an `@` is. */
const POSTMASTER = /^<?postmaster>?$/i;

/** The tag before a key. @returns null where there is none */
export function tagOf(key: string): TaggedKey | null {
  const colon = key.indexOf(":");
  const tag = colon < 0 ? "" : key.slice(0, colon).toLowerCase();
  return TAGS.has(tag) ? { tag, rest: key.slice(colon + 1) } : null;
}

/**
 * Actions of access(5): every verdict in its own words. It is asked about recipients alone: what else a mail server
 * looks up in its access database (hosts, networks, senders, TLS) is not found here. Sendmail asks with a tag first,
 * and then without one: such a second question is about the same thing as the first.
 */
export const access: LookupMap = {
  read(key, before): Read {
    const tagged = tagOf(key);
    if (tagged?.tag === "to") return readRecipient(tagged.rest, sendmailReply);
    if (tagged !== null) return NOT_FOUND;
    if (before !== undefined && before.tag !== "to" && before.rest === key) return NOT_FOUND;
    return readRecipient(key, reply);
  },
  reply,
};

/** Hosts, domains and networks have no `@`, and a user of any domain ends in one. */
function readRecipient(key: string, sayAs: LookupMap["reply"]): Read {
  const isRecipient = key.endsWith("@") ? false : key.includes("@") || POSTMASTER.test(key);
  return isRecipient ? { kind: "ask", recipient: key, reply: sayAs } : NOT_FOUND;
}

function reply(answer: Answer): MapReply {
  return { kind: "found", value: accessAction(answer) };
}

/** The action for Postfix: DUNNO leaves the recipient to the restrictions that follow. */
export const accessAction = (answer: Answer): string =>
  answer.action === "accept" ? "DUNNO" : replyLineOf(answer);

/**
 * For Sendmail's access database, which answers 553 to a word that it does not know, such as DUNNO. Its OK lets the
 * recipient pass here and allows no relaying. The text stands in quotes, or the rulesets would take it apart;
 * Sendmail itself puts the recipient before it.
 */
function sendmailReply(answer: Answer): MapReply {
  if (answer.action === "accept") return { kind: "found", value: "OK" };
  const [, code, enhanced, text = ""] =
    /^(\d{3}) (\d\.\d+\.\d+) +(?:<.*?>: )?(.*)$/.exec(replyLineOf(answer)) ?? [];
  return { kind: "found", value: `ERROR:${enhanced}:"${code} ${text.replace(/["\\]/g, "'")}"` };
}

/** The answer's reply line. Never a code without a text: Postfix takes that for an accept. */
export function replyLineOf({ reply: line, verdict }: Answer): string {
  return /^\d{3} \d\.\d+\.\d+ +\S/.test(line) ? line : `${line.trimEnd()} ${VERDICTS[verdict].text}`;
}

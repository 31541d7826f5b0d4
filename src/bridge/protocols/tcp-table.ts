import { LineParser } from "./line.ts";
import { domains } from "./maps/domains.ts";
import { isRecipient, type MapReply } from "./maps/lookup-map.ts";
import { recipients } from "./maps/recipients.ts";
import type { Exchange, Protocol } from "./protocol.ts";
import { deferral } from "./reply.ts";

/** `get SPACE key`, as in tcp_table(5). */
const REQUEST = /^get (.+)$/s;

/**
 * Postfix's tcp_table. It has no names of maps: a key with an `@` is a recipient, and any other one a domain. Replies
 * are 200, 400 and 500, each with a text: Postfix takes a code alone for a fault, and asks again for nine seconds.
 */
export const tcpTable: Protocol<string> = {
  name: "tcp",
  about: "Postfix tcp tables",
  once: false,
  parser: () => new LineParser(),
  exchange(question): Exchange {
    const [, encoded] = REQUEST.exec(question) ?? [];
    if (encoded === undefined) return invalid("only `get key` can be asked");
    const key = decodeKey(encoded);
    if (key === null) return invalid("a % without two hexadecimal digits");
    const found = (isRecipient(key) ? recipients : domains).lookup(key);
    if (found.kind !== "ask") return { kind: "reply", reply: lineOf(found), verdict: "no-recipient" };
    return { kind: "ask", recipient: found.recipient, reply: (answer) => lineOf(found.reply(answer)) };
  },
  fault: (why) => lineOf({ kind: "temporary", why: deferral(why) }),
};

const invalid = (why: string): Exchange => ({
  kind: "reply",
  reply: lineOf({ kind: "temporary", why: deferral(why) }),
  verdict: "invalid",
});

/**
 * Decodes a key: each `%XX` is one octet of UTF-8. Octets that are no UTF-8 become U+FFFD, which no address contains.
 *
 * @returns null if a `%` is not followed by two hexadecimal digits
 */
export function decodeKey(text: string): string | null {
  if (!text.includes("%")) return text;
  if (/%(?![0-9a-f]{2})/i.test(text)) return null;
  const octets = text
    .split(/%([0-9a-f]{2})/i)
    .map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.from(part, "hex")));
  return Buffer.concat(octets).toString("utf8");
}

/** Encodes the text of a reply: `%`, whitespace, and what cannot be printed. */
export const encodeText = (text: string): string =>
  text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((octet) => `%${octet.toString(16).padStart(2, "0")}`).join(""),
  );

function lineOf(reply: MapReply): string {
  switch (reply.kind) {
    case "found":
      return `200 ${encodeText(reply.value)}\n`;
    case "not-found":
      return "500 not-found\n";
    case "temporary":
      return `400 ${encodeText(reply.why)}\n`;
  }
}

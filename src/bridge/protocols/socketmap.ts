import { BufferedParser } from "./buffered-parser.ts";
import { tagOf } from "./maps/access.ts";
import { MAPS } from "./maps/index.ts";
import type { MapReply, TaggedKey } from "./maps/lookup-map.ts";
import type { Exchange, Parsed, Protocol } from "./protocol.ts";
import { deferral } from "./reply.ts";

/** Longest question, in octets. Postfix itself treats a key of more than 10,000 as not found. */
export const MAX_QUESTION = 16_384;

const ZERO = 0x30;
const COLON = 0x3a;
const COMMA = 0x2c;

export interface SocketmapQuestion {
  readonly map: string;
  readonly key: string;
  /** The key just before it, if that one had a Sendmail tag. */
  readonly previous?: TaggedKey;
}

/** Netstrings of `map key` (socketmap_table(5)): `28:recipients alice@example.com,`. */
export class SocketmapParser extends BufferedParser<SocketmapQuestion> {
  #previous: TaggedKey | null;

  constructor(memory: string | null = null) {
    super();
    this.#previous = memory === null ? null : (JSON.parse(memory) as TaggedKey);
  }

  protected override remember(): string | null {
    return this.#previous === null ? null : JSON.stringify(this.#previous);
  }

  protected read(): Parsed<SocketmapQuestion> | null {
    const head = this.#readLength();
    if (typeof head === "string") return this.fault(head);
    if (head === null) return null;
    const { start, length } = head;
    const end = start + length;
    if (this.buffer.length <= end) return null;
    if (this.buffer.at(end) !== COMMA) return this.fault("a netstring without a comma at its end");
    const text = this.buffer.text(start, end);
    this.buffer.drop(end + 1);
    const space = text.indexOf(" ");
    const question =
      space < 0 ? { map: text, key: "" } : { map: text.slice(0, space), key: text.slice(space + 1) };
    const previous = this.#previous;
    this.#previous = tagOf(question.key);
    return { kind: "question", question: previous === null ? question : { ...question, previous } };
  }

  /** The length prefix; null if it is not complete yet, a text if it is malformed. */
  #readLength(): { start: number; length: number } | string | null {
    let length = 0;
    for (let i = 0; i < this.buffer.length; i++) {
      const c = this.buffer.at(i);
      if (c === COLON && i > 0) return { start: i + 1, length };
      const digit = c - ZERO;
      if (digit < 0 || digit > 9) return "not a netstring";
      if (i > 0 && length === 0) return "a netstring length with a leading zero";
      length = length * 10 + digit;
      if (length > MAX_QUESTION) return `a question of more than ${MAX_QUESTION} octets`;
    }
    return null;
  }
}

/**
 * The socketmap of Postfix and Sendmail. Replies are OK, NOTFOUND and TEMP only: Sendmail treats PERM as not found, and
 * crashes on an OK without a value.
 */
export const socketmap: Protocol<SocketmapQuestion> = {
  name: "socketmap",
  about: "Postfix and Sendmail socketmaps",
  once: false,
  parser: (memory) => new SocketmapParser(memory),
  exchange({ map: name, key, previous }): Exchange {
    const map = MAPS.get(name);
    if (map === undefined) return invalid(`unknown map; the maps are ${[...MAPS.keys()].join(", ")}`);
    if (key === "") return invalid(deferral("no key given"));
    const found = map.lookup(key, previous);
    if (found.kind !== "ask") return { kind: "reply", reply: netstring(found), verdict: "no-recipient" };
    return { kind: "ask", recipient: found.recipient, reply: (answer) => netstring(found.reply(answer)) };
  },
  fault: (why) => netstring({ kind: "temporary", why: deferral(why) }),
};

const invalid = (why: string): Exchange => ({
  kind: "reply",
  reply: netstring({ kind: "temporary", why }),
  verdict: "invalid",
});

/** All replies are ASCII, so characters are octets. */
function netstring(reply: MapReply): string {
  const text = textOf(reply);
  return `${text.length}:${text},`;
}

function textOf(reply: MapReply): string {
  switch (reply.kind) {
    case "found":
      return `OK ${reply.value}`;
    case "not-found":
      // Sendmail requires the space.
      return "NOTFOUND ";
    case "temporary":
      return `TEMP ${reply.why}`;
  }
}

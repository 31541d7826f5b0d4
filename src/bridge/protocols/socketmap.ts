import { tagOf } from "../access-map.ts";
import type { LookupMap, MapReply, TaggedKey } from "../lookup-map.ts";
import { MAPS } from "../maps.ts";
import { BufferedParser } from "./buffered-parser.ts";
import { deferral, type Exchange, type Parsed, type Protocol } from "./protocol.ts";

/** Octets of one question. Postfix itself takes a key of more than 10,000 for not found. */
export const MAX_QUESTION = 16_384;

const ZERO = 0x30;
const COLON = 0x3a;
const COMMA = 0x2c;

const TABLES: ReadonlyMap<string, LookupMap> = new Map(Object.entries(MAPS));

export interface SocketmapQuestion {
  readonly map: string;
  readonly key: string;
  /** The key just before, where it had a tag of Sendmail's. */
  readonly before?: TaggedKey;
}

/** Netstrings of `map key` (socketmap_table(5)): `28:recipients alice@example.com,`. */
export class SocketmapParser extends BufferedParser<SocketmapQuestion> {
  #before: TaggedKey | null = null;

  protected read(): Parsed<SocketmapQuestion> | null {
    const head = this.#readLength();
    if (typeof head === "string") return this.fault(head);
    if (head === null) return null;
    const { start, length } = head;
    const end = start + length;
    if (this.buffer.length <= end) return null;
    if (this.buffer.at(end) !== COMMA) return this.fault("a netstring that does not end in a comma");
    const text = this.buffer.text(start, end);
    this.buffer.drop(end + 1);
    const space = text.indexOf(" ");
    const question =
      space < 0 ? { map: text, key: "" } : { map: text.slice(0, space), key: text.slice(space + 1) };
    const before = this.#before;
    this.#before = tagOf(question.key);
    return { kind: "question", question: before === null ? question : { ...question, before } };
  }

  /** The length in front; null where it is not whole yet, a text where it is none. */
  #readLength(): { start: number; length: number } | string | null {
    let length = 0;
    for (let i = 0; i < this.buffer.length; i++) {
      const c = this.buffer.at(i);
      if (c === COLON && i > 0) return { start: i + 1, length };
      const digit = c - ZERO;
      if (digit < 0 || digit > 9) return "bytes that are no netstring";
      if (i > 0 && length === 0) return "a netstring's length with a zero in front";
      length = length * 10 + digit;
      if (length > MAX_QUESTION) return `a question of more than ${MAX_QUESTION} octets`;
    }
    return null;
  }
}

/**
 * Postfix's and Sendmail's socketmap. It says OK, NOTFOUND and TEMP only: Sendmail takes PERM for not found, and
 * dies of an OK without a value.
 */
export const socketmap: Protocol<SocketmapQuestion> = {
  name: "socketmap",
  once: false,
  parser: () => new SocketmapParser(),
  exchange({ map: name, key, before }): Exchange {
    const map = TABLES.get(name);
    if (map === undefined) {
      const why = `there is no such map; there are ${[...TABLES.keys()].join(", ")}`;
      return { kind: "say", reply: netstring({ kind: "temporary", why }), verdict: "invalid" };
    }
    if (key === "") {
      const reply = netstring({ kind: "temporary", why: deferral("no key was given") });
      return { kind: "say", reply, verdict: "invalid" };
    }
    const read = map.read(key, before);
    if (read.kind !== "ask") return { kind: "say", reply: netstring(read), verdict: "no-recipient" };
    return { kind: "ask", recipient: read.recipient, reply: (answer) => netstring(read.reply(answer)) };
  },
  fault: (why) => netstring({ kind: "temporary", why: deferral(why) }),
};

/** All that is said is ASCII, so characters are octets. */
function netstring(reply: MapReply): string {
  const text = wordsOf(reply);
  return `${text.length}:${text},`;
}

function wordsOf(reply: MapReply): string {
  switch (reply.kind) {
    case "found":
      return `OK ${reply.value}`;
    case "not-found":
      // Sendmail wants the space.
      return "NOTFOUND ";
    case "temporary":
      return `TEMP ${reply.why}`;
  }
}

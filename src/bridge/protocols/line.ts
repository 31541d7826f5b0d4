import { replyLineOf } from "../maps.ts";
import { ByteBuffer } from "./buffer.ts";
import { deferral, type Exchange, type Parsed, type Parser, type Protocol } from "./protocol.ts";

/** Octets of one line. */
export const MAX_QUESTION = 16_384;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Lines of one address each, as they stand: a space in front or behind belongs to it. */
export class LineParser implements Parser<string> {
  readonly #buffer = new ByteBuffer();
  #isFaulty = false;

  get isHalfWay(): boolean {
    return this.#buffer.length > 0;
  }

  feed(bytes: Uint8Array): void {
    if (!this.#isFaulty) this.#buffer.push(bytes);
  }

  next(): Parsed<string> | null {
    const end = this.#buffer.indexOf(NEWLINE);
    if ((end < 0 ? this.#buffer.length : end) > MAX_QUESTION) {
      this.#isFaulty = true;
      this.#buffer.clear();
      return { kind: "fault", why: `a line of more than ${MAX_QUESTION} octets` };
    }
    if (end < 0) return null;
    const question = this.#buffer.text(0, end > 0 && this.#buffer.at(end - 1) === RETURN ? end - 1 : end);
    this.#buffer.drop(end + 1);
    return { kind: "question", question };
  }
}

/**
 * An address in, a whole SMTP reply out, and the connection is closed: Exim's readsocket reads to the end of the
 * stream. The reply ends with its line, so that half of one can be told.
 */
export const line: Protocol<string> = {
  name: "line",
  once: true,
  parser: () => new LineParser(),
  exchange(question): Exchange {
    if (question === "") {
      return { kind: "say", reply: `${deferral("no recipient was named")}\n`, verdict: "invalid" };
    }
    return { kind: "ask", recipient: question, reply: (answer) => `${replyLineOf(answer)}\n` };
  },
  fault: (why) => `${deferral(why)}\n`,
};

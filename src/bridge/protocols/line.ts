import { replyLineOf } from "../access-map.ts";
import { BufferedParser } from "./buffered-parser.ts";
import { deferral, type Exchange, type Parsed, type Protocol } from "./protocol.ts";

/** Octets of one line. */
export const MAX_QUESTION = 16_384;

/** Lines of one address each, as they stand: a space in front or behind belongs to it. */
export class LineParser extends BufferedParser<string> {
  protected read(): Parsed<string> | null {
    const end = this.buffer.endOfLine();
    if ((end < 0 ? this.buffer.length : end) > MAX_QUESTION) {
      return this.fault(`a line of more than ${MAX_QUESTION} octets`);
    }
    return end < 0 ? null : { kind: "question", question: this.buffer.takeLine(end) };
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

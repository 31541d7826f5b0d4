import { BufferedParser } from "./buffered-parser.ts";
import type { Exchange, Parsed, Protocol } from "./protocol.ts";
import { deferral, replyLineOf } from "./reply.ts";

/** Longest line, in octets. */
export const MAX_QUESTION = 16_384;

/** One address per line, taken as it is: leading and trailing spaces are part of it. */
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
 * Reads an address, sends one SMTP reply line and closes the connection, since Exim's readsocket reads to the end of the
 * stream. A reply without its line end is incomplete.
 */
export const line: Protocol<string> = {
  name: "line",
  about: "one address per line, as Exim's readsocket sends them",
  once: true,
  parser: () => new LineParser(),
  exchange(question): Exchange {
    if (question === "") {
      return { kind: "reply", reply: `${deferral("no recipient given")}\n`, verdict: "invalid" };
    }
    return { kind: "ask", recipient: question, reply: (answer) => `${replyLineOf(answer)}\n` };
  },
  fault: (why) => `${deferral(why)}\n`,
};

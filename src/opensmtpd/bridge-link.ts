import { ByteBuffer } from "../bridge/protocols/buffer.ts";
import type { Dial, Wire } from "./ports.ts";

/** The lookup has no answer. */
export class LookupError extends Error {}

/** Longest reply, octets. The bridge's own are below 1,000. */
const MAX_REPLY = 10_000;

const COLON = 0x3a;
const COMMA = 0x2c;

export const netstring = (text: string): string => `${Buffer.byteLength(text)}:${text},`;

/**
 * The first question on each connection, which a bridge answers without asking the edge. Another program's socketmap may
 * answer "not found" to everything, and that would refuse all recipients.
 */
const HELLO = { question: netstring("recipients postmaster"), reply: "OK deliverable" };

interface Waiting {
  resolve(reply: string): void;
  reject(error: LookupError): void;
}

/** One connection to the socketmap listener of a bridge. Answers come in the order of the questions. */
export class BridgeLink {
  readonly #wire: Wire;
  readonly #waiting: Waiting[] = [];
  readonly #replies = new ByteBuffer();
  #isKnown = false;
  #ended: LookupError | null = null;

  constructor(dial: Dial) {
    this.#wire = dial({
      data: (bytes) => this.#read(bytes),
      closed: (why) => this.end(why),
    });
    this.#wire.write(HELLO.question);
  }

  get isOpen(): boolean {
    return this.#ended === null;
  }

  /** @returns the reply without its length @throws LookupError if the connection ends first */
  ask(question: string): Promise<string> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#wire.write(question);
    });
  }

  /** Closes it. Whatever was asked has no answer. */
  end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = new LookupError(why);
    this.#replies.clear();
    this.#wire.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }

  #read(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.#replies.push(bytes);
    for (let reply = this.#take(); reply !== null; reply = this.#take()) {
      const fault = this.#isKnown ? this.#answer(reply) : this.#greet(reply);
      if (fault !== null) this.end(fault);
    }
  }

  /** @returns what is wrong with the first reply, if anything */
  #greet(reply: string): string | null {
    this.#isKnown = reply === HELLO.reply;
    return this.#isKnown ? null : "what listens there is not the socketmap of a bridge";
  }

  #answer(reply: string): string | null {
    const first = this.#waiting.shift();
    first?.resolve(reply);
    return first === undefined ? "an answer without a question" : null;
  }

  /** The next whole netstring; null if there is none. */
  #take(): string | null {
    const replies = this.#replies;
    if (!this.isOpen || replies.length === 0) return null;
    const colon = replies.indexOf(COLON);
    const digits = replies.text(0, colon < 0 ? replies.length : colon);
    if (!/^(?:0|[1-9]\d{0,4})$/.test(digits) || Number(digits) > MAX_REPLY) {
      this.end("an answer that is not a netstring");
      return null;
    }
    const end = colon + 1 + Number(digits);
    if (colon < 0 || replies.length <= end) return null;
    if (replies.at(end) !== COMMA) {
      this.end("an answer that is not a netstring");
      return null;
    }
    const reply = replies.text(colon + 1, end);
    replies.drop(end + 1);
    return reply;
  }
}

import { ByteBuffer } from "./buffer.ts";
import type { Parsed, Parser, ParserState } from "./protocol.ts";

/** What all parsers share: keep bytes until a question is complete, and nothing after a fault. */
export abstract class BufferedParser<Q> implements Parser<Q> {
  protected readonly buffer = new ByteBuffer();
  #isFaulty = false;

  get isHalfWay(): boolean {
    return this.buffer.length > 0;
  }

  feed(bytes: Uint8Array): void {
    if (!this.#isFaulty) this.buffer.push(bytes);
  }

  next(): Parsed<Q> | null {
    return this.#isFaulty ? null : this.read();
  }

  release(): ParserState {
    const bytes = this.buffer.takeAll();
    return { bytes, memory: this.remember() };
  }

  /** For {@link ParserState.memory}. */
  protected remember(): string | null {
    return null;
  }

  /** The protocol's grammar: removes the next question from the buffer; null if it is not complete yet. */
  protected abstract read(): Parsed<Q> | null;

  /** Stops reading: drops what is buffered and all that follows. */
  protected fault(why: string): Parsed<Q> {
    this.#isFaulty = true;
    this.buffer.clear();
    return { kind: "fault", why };
  }
}

import { ByteBuffer } from "./buffer.ts";
import type { Parsed, Parser } from "./protocol.ts";

/** What every parser does alike: it keeps bytes until a question is whole, and nothing after a fault. */
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

  /** The protocol's grammar: takes the next question out of the buffer, null where it is not whole yet. */
  protected abstract read(): Parsed<Q> | null;

  /** Ends the reading: what is left and what still comes is thrown away. */
  protected fault(why: string): Parsed<Q> {
    this.#isFaulty = true;
    this.buffer.clear();
    return { kind: "fault", why };
  }
}

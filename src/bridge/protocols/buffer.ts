const NEWLINE = 0x0a;
const RETURN = 0x0d;
const FIRST = 256;
const EMPTY = Buffer.alloc(0);

/**
 * Bytes on their way from the socket to a parser. Costs nothing while it is empty, and copies nothing where a
 * question comes whole: then it reads in the piece that it was given, until the next one comes.
 */
export class ByteBuffer {
  #bytes: Buffer = EMPTY;
  /** Whether these bytes are ours to write to. */
  #isCopy = false;
  #start = 0;
  #end = 0;
  /** Up to where a byte was looked for and not found, counted from the start. */
  #searched = 0;
  #soughtByte = -1;

  get length(): number {
    return this.#end - this.#start;
  }

  /** @param bytes nobody may change them afterwards */
  push(bytes: Uint8Array): void {
    if (this.#end === 0) {
      this.#bytes = Buffer.isBuffer(bytes)
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#isCopy = false;
      this.#end = bytes.length;
      return;
    }
    if (!this.#isCopy || this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #makeRoom(more: number): void {
    const { length } = this;
    // Twice as much as needed, so that bytes that come one by one are not copied each time.
    const isEnough = this.#isCopy && (length + more) * 2 <= this.#bytes.length;
    const room = isEnough ? this.#bytes : Buffer.alloc(Math.max(FIRST, (length + more) * 2));
    room.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = room;
    this.#isCopy = true;
    this.#start = 0;
    this.#end = length;
  }

  at(index: number): number {
    return this.#bytes[this.#start + index] as number;
  }

  /** Index of a byte, -1 where there is none. Goes on where the last search for it ended. */
  indexOf(byte: number): number {
    if (byte !== this.#soughtByte) this.#searched = 0;
    this.#soughtByte = byte;
    const at = this.#bytes.subarray(this.#start + this.#searched, this.#end).indexOf(byte);
    if (at >= 0) return this.#searched + at;
    this.#searched = this.length;
    return -1;
  }

  /** Index of the newline that ends the first line, -1 where none is whole. */
  endOfLine(): number {
    return this.indexOf(NEWLINE);
  }

  /** Takes the first line out, without its end (LF or CRLF). @param end its {@link endOfLine} */
  takeLine(end: number): string {
    const line = this.text(0, end > 0 && this.at(end - 1) === RETURN ? end - 1 : end);
    this.drop(end + 1);
    return line;
  }

  /** What is no UTF-8 becomes U+FFFD, which no address holds; a byte order mark stays. */
  text(from: number, to: number): string {
    return this.#bytes.toString("utf8", this.#start + from, this.#start + to);
  }

  drop(count: number): void {
    this.#start += count;
    this.#searched = 0;
    if (this.#start >= this.#end) this.clear();
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#searched = 0;
  }
}

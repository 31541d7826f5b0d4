const NEWLINE = 0x0a;
const RETURN = 0x0d;
const FIRST = 256;
const EMPTY = Buffer.alloc(0);

/**
 * Bytes between the socket and a parser. An empty buffer costs nothing, and a question that arrives whole is not
 * copied: the buffer reads from the piece itself until the next one arrives.
 */
export class ByteBuffer {
  #bytes: Buffer = EMPTY;
  /** Whether the bytes may be written to. */
  #isCopy = false;
  #start = 0;
  #end = 0;
  /** How far, from the start, a search for `#searchedByte` found nothing. */
  #searched = 0;
  #searchedByte = -1;

  get length(): number {
    return this.#end - this.#start;
  }

  /** @param bytes must not change afterwards */
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
    // Twice what is needed, so that bytes that arrive one by one are not copied each time.
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

  /** Index of a byte, -1 if there is none. Continues where the last search for it ended. */
  indexOf(byte: number): number {
    if (byte !== this.#searchedByte) this.#searched = 0;
    this.#searchedByte = byte;
    const at = this.#bytes.subarray(this.#start + this.#searched, this.#end).indexOf(byte);
    if (at >= 0) return this.#searched + at;
    this.#searched = this.length;
    return -1;
  }

  /** Index of the newline that ends the first line, -1 if no line is complete. */
  endOfLine(): number {
    return this.indexOf(NEWLINE);
  }

  /** Removes the first line and returns it without its end (LF or CRLF). @param end its {@link endOfLine} */
  takeLine(end: number): string {
    const line = this.text(0, end > 0 && this.at(end - 1) === RETURN ? end - 1 : end);
    this.drop(end + 1);
    return line;
  }

  /** Invalid UTF-8 becomes U+FFFD, which no address contains; a byte order mark stays. */
  text(from: number, to: number): string {
    return this.#bytes.toString("utf8", this.#start + from, this.#start + to);
  }

  /** Removes and returns all bytes. */
  takeAll(): Uint8Array {
    const bytes = Buffer.from(this.#bytes.subarray(this.#start, this.#end));
    this.clear();
    return bytes;
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

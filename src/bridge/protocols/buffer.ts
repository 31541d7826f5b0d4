const NEWLINE = 0x0a;
const RETURN = 0x0d;
const FIRST = 256;
const EMPTY = new Uint8Array(0);
// What is no UTF-8 becomes U+FFFD, which no address holds; a byte order mark stays.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes on their way from the socket to a parser. Costs nothing while it is empty. */
export class ByteBuffer {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** Up to where a byte was looked for and not found, counted from the start. */
  #searched = 0;
  #soughtByte = -1;

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) {
      const length = this.length + bytes.length;
      // Twice as much as needed, so that bytes that come one by one are not copied each time.
      const room =
        length * 2 <= this.#bytes.length ? this.#bytes : new Uint8Array(Math.max(FIRST, length * 2));
      room.set(this.#bytes.subarray(this.#start, this.#end));
      this.#end = this.length;
      this.#start = 0;
      this.#bytes = room;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
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

  text(from: number, to: number): string {
    return decoder.decode(this.#bytes.subarray(this.#start + from, this.#start + to));
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

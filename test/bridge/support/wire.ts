import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** The part of a system's handle that Node's sockets, and bridge/listeners/node-handles.ts, use. */
interface Handle {
  /** Whether Node believes that it reads. */
  reading: boolean;
  readStart(): void;
  readStop(): void;
}

/**
 * One connection of a client as the system keeps it, while processes pass it on: what it has sent and nobody has read, and
 * what it has got.
 */
export class Wire {
  received = "";
  /** Whether the client takes what it is sent. */
  takes = true;
  #unread = Buffer.alloc(0);
  #isEnded = false;
  readonly #sockets = new Set<WireSocket>();

  /** What the client has sent and no process has read. */
  get unread(): number {
    return this.#unread.length;
  }

  send(text: string): void {
    this.#unread = Buffer.concat([this.#unread, Buffer.from(text)]);
  }

  end(): void {
    this.#isEnded = true;
  }

  /** Gives up to so many octets to a process that reads. @param pick which one, if several do */
  deliver(most: number, pick = 0): void {
    const readers = [...this.#sockets].filter((socket) => socket.isReading);
    const reader = readers[pick % Math.max(1, readers.length)];
    if (reader === undefined) return;
    const bytes = this.#unread.subarray(0, most);
    this.#unread = this.#unread.subarray(bytes.length);
    if (bytes.length > 0) reader.got(bytes);
    else if (this.#isEnded) reader.got(null);
  }

  /** The client takes what waits to be sent to it. */
  take(): void {
    for (const socket of this.#sockets) socket.flush();
  }

  /** The connection as one process has it. */
  open(): WireSocket {
    const socket = new WireSocket(this);
    this.#sockets.add(socket);
    return socket;
  }

  closed(socket: WireSocket): void {
    this.#sockets.delete(socket);
  }
}

/** Node's stream, with the handling of its handle that net.Socket has. */
export class WireSocket extends Duplex {
  readonly localAddress = undefined;
  readonly remoteAddress = undefined;
  #wire: Wire;
  /** Sends what the client does not take yet. */
  #sent: (() => void) | null = null;
  /** Whether the system reads for this process. */
  #isStarted = false;
  #isAtEnd = false;
  _handle: Handle | null;

  constructor(wire: Wire) {
    super({ allowHalfOpen: true, highWaterMark: 128, decodeStrings: false });
    this.#wire = wire;
    this._handle = {
      reading: false,
      readStart: () => {
        this.#isStarted = true;
      },
      readStop: () => {
        this.#isStarted = false;
      },
    };
    // As Node does for a socket that was accepted.
    this.read(0);
  }

  get wire(): Wire {
    return this.#wire;
  }

  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  get isReading(): boolean {
    return this._handle !== null && this.#isStarted && !this.#isAtEnd;
  }

  /** As Node does once another process has the socket. */
  detach(): void {
    this._handle = null;
    this.#sent = null;
    this.#wire.closed(this);
  }

  /** The system has read: bytes, or null for the end. */
  got(bytes: Buffer | null): void {
    if (bytes === null) {
      this.#isAtEnd = true;
      this.push(null);
      this.read(0);
    } else if (!this.push(bytes) && this._handle !== null) {
      this._handle.reading = false;
      this._handle.readStop();
    }
  }

  flush(): void {
    const sent = this.#sent;
    this.#sent = null;
    sent?.();
  }

  override _read(): void {
    if (this._handle === null || this._handle.reading) return;
    this._handle.reading = true;
    this._handle.readStart();
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    // What the system has not taken from a process is lost if another one gets the socket.
    this.#sent = () => {
      this.#wire.received += text;
      done();
    };
    if (this.#wire.takes) this.flush();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.detach();
    done(error);
  }
}

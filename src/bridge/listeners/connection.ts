import type { Socket } from "node:net";
import type { Client as Asker } from "../answers/askers.ts";
import type { Resolution } from "../answers/resolution.ts";
import type { SteadyClock } from "../ports.ts";
import type { LocalVerdict, NamedLookup, Parser, ParserState, Protocol } from "../protocols/protocol.ts";
import { stopReading } from "./node-handles.ts";
import { ReplyQueue } from "./reply-queue.ts";

/** Questions of one connection that are answered or wait to be sent at the same time; more stay in the socket. */
export const MAX_QUEUE = 32;

/** Questions of one connection that are taken before others have their turn. */
export const TURN = 128;

/** What a connection needs of the bridge. Only `resolve` throws. */
export interface ConnectionContext {
  readonly clock: SteadyClock;
  /**
   * @param now the time, read after the question arrived
   * @param client the connection
   */
  resolve(recipient: string, now: number, client: Asker): Resolution | Promise<Resolution>;
  /** One question was answered, after `ms`; 0 if the answer was known at once. */
  answered(protocol: NamedLookup, result: Resolution | LocalVerdict, ms: number): void;
  /** The client sent a malformed request. */
  malformed(protocol: NamedLookup, why: string): void;
  /** A fault of the bridge; the question was deferred. */
  fault(error: unknown): void;
  /** Resolves when others have had their turn. */
  turn(): Promise<void>;
}

/** The part of a socket that is used. */
export type ClientSocket = Pick<
  Socket,
  | "on"
  | "removeAllListeners"
  | "read"
  | "write"
  | "end"
  | "destroy"
  | "pause"
  | "resume"
  | "destroyed"
  | "writable"
  | "writableFinished"
  | "writableLength"
>;

/** What a connection works with: all that reads questions and sends replies, so one process at a time has it. */
interface Client {
  readonly socket: ClientSocket;
  readonly parser: Parser<unknown>;
  readonly replies: ReplyQueue;
}

/**
 * One client. Replies are sent in the order of the questions, and a bounded number of questions is under way: questions
 * are read only as fast as the client takes their replies. An idle connection is a socket and an empty buffer.
 */
export class Connection {
  readonly #context: ConnectionContext;
  readonly #protocol: Protocol;
  /** Null for good once another process has it: nothing here can read, take or send any more. */
  #client: Client | null;
  /** Who ends the connection once no whole question is left. Half a question is a fault of the client only. */
  #ending: "no" | "by-client" | "by-bridge" = "no";
  /** No further question is read; what the client still sends is dropped. */
  #isLast = false;
  /** The client does not take its replies. */
  #isBlocked = false;
  /** It has taken what it may before others have their turn. */
  #isTurnOver = false;
  #isReading = true;
  /** Since when the bridge waits for the client to continue. */
  #waitsSince: number | null = null;
  /** To be called when no reply is missing, and another process can continue; no question is taken until then. */
  #release: ((isQuiet: boolean) => void) | null = null;

  /** @param state of a connection that another process has begun */
  constructor(
    context: ConnectionContext,
    protocol: Protocol,
    socket: ClientSocket,
    state: ParserState | null = null,
  ) {
    this.#context = context;
    this.#protocol = protocol;
    this.#client = { socket, parser: protocol.parser(state?.memory), replies: new ReplyQueue() };
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("end", () => this.#end("by-client"));
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#pump();
    });
    // `close` follows every error, and the server listens for that.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#pump());
    if (state !== null && state.bytes.length > 0) this.#read(state.bytes);
    else this.#updateWait(this.#client, context.clock.now());
  }

  /** Whether all replies were sent and no more follow. */
  get isDone(): boolean {
    return this.#client === null || this.#client.socket.writableFinished;
  }

  /** Answers the whole questions that have arrived, then closes. @returns whether it would have gone on without that */
  finish(): boolean {
    const wasOpen = this.#client !== null && !this.#isEnding(this.#client);
    this.#end("by-bridge");
    return wasOpen;
  }

  /**
   * Takes no further question until {@link giveAway} or {@link keep}.
   * @returns resolves when all that were taken are answered; true if another process can continue, false if the
   * connection stays here
   */
  release(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#release = resolve;
      this.#pump();
    });
  }

  /** Takes questions again: no other process continues. */
  keep(): void {
    this.#stay();
    this.#pump();
  }

  /**
   * Leaves the client to another process, at once and for good.
   * @returns what that process needs to continue; null if the connection stays here
   */
  giveAway(): ParserState | null {
    const client = this.#client;
    if (client === null || this.#release === null || !this.#isQuiet(client)) return null;
    const left = stopReading(client.socket);
    if (left === null) {
      this.destroy();
      return null;
    }
    this.#client = null;
    const { bytes, memory } = client.parser.release();
    return { bytes: left.length === 0 ? bytes : Buffer.concat([bytes, left]), memory };
  }

  destroy(): void {
    this.#client?.socket.destroy();
  }

  /** Closes the connection if the client has left something unfinished for longer than `timeout`. */
  closeIfStuck(now: number, timeout: number): void {
    if (this.#waitsSince !== null && now - this.#waitsSince > timeout) this.destroy();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isLast) return;
    this.#client?.parser.feed(bytes);
    this.#pump();
  }

  #end(ending: "by-client" | "by-bridge"): void {
    if (this.#ending === "no") this.#ending = ending;
    this.#pump();
  }

  /** Takes questions while there is room for their replies, and sends what is ready: many replies in one write. */
  #pump(): void {
    const client = this.#client;
    if (client === null) return;
    if (this.#isEnding(client)) this.#stay();
    // Read once: nothing in here waits, and the clock counts only after the last wait (law 2).
    const now = this.#context.clock.now();
    let isDry = false;
    let taken = 0;
    do {
      while (!isDry && this.#hasRoom(client)) {
        isDry = !this.#take(client, now);
        if (++taken === TURN) this.#endTurn();
      }
      if (isDry && this.#ending !== "no") this.#close(client);
      this.#send(client, now);
    } while (!isDry && this.#hasRoom(client));
    this.#setReading(client, this.#isLast || this.#hasRoom(client));
    this.#updateWait(client, now);
    if (this.#release !== null) this.#releaseIfQuiet(client, this.#release);
  }

  #endTurn(): void {
    this.#isTurnOver = true;
    void this.#context.turn().then(() => {
      this.#isTurnOver = false;
      this.#pump();
    });
  }

  /** What ends is not worth handing over. */
  #isEnding({ socket }: Client): boolean {
    return this.#isLast || this.#ending !== "no" || socket.destroyed;
  }

  /** Whether every question that was taken is answered, and the system has taken all replies. */
  #isQuiet({ socket, replies }: Client): boolean {
    return replies.length === 0 && !this.#isBlocked && socket.writableLength === 0;
  }

  #releaseIfQuiet(client: Client, resolve: (isQuiet: boolean) => void): void {
    if (this.#isQuiet(client)) resolve(true);
    // The system has not taken all of it yet.
    else if (client.replies.length === 0 && !this.#isBlocked) client.socket.write("", () => this.#pump());
  }

  #stay(): void {
    this.#release?.(false);
    this.#release = null;
  }

  /** While the queue is full the socket is not read: the client's own buffers fill, and it waits. */
  #setReading({ socket }: Client, isReading: boolean): void {
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) socket.resume();
    else socket.pause();
  }

  #hasRoom({ replies }: Client): boolean {
    const isOurTurn = this.#release === null && !this.#isTurnOver;
    return isOurTurn && !this.#isLast && !this.#isBlocked && replies.length < MAX_QUEUE;
  }

  /** Takes the next question. @returns false if no whole one is left */
  #take(client: Client, now: number): boolean {
    const parsed = client.parser.next();
    if (parsed === null) return false;
    if (parsed.kind === "fault") this.#refuse(client, parsed.why);
    else {
      if (this.#protocol.once) this.#isLast = true;
      this.#answer(client, parsed.question, now);
    }
    return true;
  }

  #close(client: Client): void {
    if (this.#ending === "by-client" && client.parser.isHalfWay) {
      this.#refuse(client, "the question did not end");
    }
    this.#isLast = true;
  }

  #refuse({ replies }: Client, why: string): void {
    this.#isLast = true;
    replies.add(this.#protocol.fault(why));
    this.#context.malformed(this.#protocol, why);
  }

  #answer({ replies }: Client, question: unknown, now: number): void {
    const context = this.#context;
    const protocol = this.#protocol;
    const exchange = protocol.exchange(question);
    if (exchange.kind === "reply") {
      replies.add(exchange.reply);
      context.answered(protocol, exchange.verdict, 0);
      return;
    }
    const resolved = context.resolve(exchange.recipient, now, this);
    if (!(resolved instanceof Promise)) {
      replies.addAnswer(exchange, resolved);
      context.answered(protocol, resolved, 0);
      return;
    }
    const reserved = replies.reserve(exchange);
    const settle = (resolution: Resolution): void => {
      reserved.answer(resolution);
      context.answered(protocol, resolution, context.clock.now() - now);
    };
    resolved.then(settle).then(
      () => this.#pump(),
      (error: unknown) => {
        context.fault(error);
        reserved.fail(protocol.fault("internal error in the bridge"));
        this.#pump();
      },
    );
  }

  /** Sends the replies that are next in order. */
  #send({ socket, replies }: Client, now: number): void {
    const text = replies.take(now);
    if (socket.destroyed || !socket.writable) return;
    // Replies of all protocols are ASCII.
    if (text !== "" && !socket.write(text, "latin1")) this.#isBlocked = true;
    if (this.#isLast && replies.length === 0) socket.end();
  }

  #updateWait({ parser, replies }: Client, now: number): void {
    const isClientsTurn = replies.length === 0 && (this.#isLast || this.#protocol.once || parser.isHalfWay);
    if (!isClientsTurn && !this.#isBlocked) this.#waitsSince = null;
    else this.#waitsSince ??= now;
  }
}

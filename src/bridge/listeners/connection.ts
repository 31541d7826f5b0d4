import type { Socket } from "node:net";
import type { Resolution } from "../answers/resolution.ts";
import type { SteadyClock } from "../ports.ts";
import type { LocalVerdict, NamedLookup, Parser, ParserState, Protocol } from "../protocols/protocol.ts";
import { ReplyQueue } from "./reply-queue.ts";

/** Questions of one connection that are answered or wait to be sent at the same time; more stay in the socket. */
export const MAX_QUEUE = 32;

/** What a connection needs of the bridge. Only `resolve` throws. */
export interface ConnectionContext {
  readonly clock: SteadyClock;
  /** @param now the time, read after the question arrived */
  resolve(recipient: string, now: number): Resolution | Promise<Resolution>;
  /** One question was answered, after `ms`; 0 if the answer was known at once. */
  answered(protocol: NamedLookup, result: Resolution | LocalVerdict, ms: number): void;
  /** The client sent a malformed request. */
  malformed(protocol: NamedLookup, why: string): void;
  /** A fault of the bridge; the question was deferred. */
  fault(error: unknown): void;
}

/** The part of a socket that is used. */
export type ClientSocket = Pick<
  Socket,
  "on" | "write" | "end" | "destroy" | "pause" | "resume" | "destroyed" | "writable" | "writableFinished"
>;

/**
 * One client. Replies are sent in the order of the questions, and a bounded number of questions is under way: questions
 * are read only as fast as the client takes their replies. An idle connection is a socket and an empty buffer.
 */
export class Connection {
  readonly #context: ConnectionContext;
  readonly #protocol: Protocol;
  readonly #socket: ClientSocket;
  readonly #parser: Parser<unknown>;
  readonly #replies = new ReplyQueue();
  /** Who ends the connection once no whole question is left. Half a question is a fault of the client only. */
  #ending: "no" | "by-client" | "by-bridge" = "no";
  /** No further question is read; what the client still sends is dropped. */
  #isLast = false;
  /** The client does not take its replies. */
  #isBlocked = false;
  #isReading = true;
  /** Since when the bridge waits for the client to continue. */
  #waitsSince: number | null = null;
  /** To be called when no reply is missing; then another process continues the connection. */
  #release: ((state: ParserState | null) => void) | null = null;

  /** @param state of a connection that another process has begun */
  constructor(
    context: ConnectionContext,
    protocol: Protocol,
    socket: ClientSocket,
    state: ParserState | null = null,
  ) {
    this.#context = context;
    this.#protocol = protocol;
    this.#socket = socket;
    this.#parser = protocol.parser(state?.memory);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("end", () => this.#end("by-client"));
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#pump();
    });
    // `close` follows every error, and the server listens for that.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#releaseIfQuiet());
    if (state !== null && state.bytes.length > 0) this.#read(state.bytes);
    else this.#updateWait(context.clock.now());
  }

  /** Whether all replies were sent and no more follow. */
  get isDone(): boolean {
    return this.#socket.writableFinished;
  }

  /** Answers the whole questions that have arrived, then closes. */
  finish(): void {
    this.#end("by-bridge");
  }

  /**
   * Takes no further question, and resolves when all that were taken are answered. No other method may be called then.
   * @returns what another process needs to continue; null for a connection that is ending, which ends here
   */
  release(): Promise<ParserState | null> {
    return new Promise((resolve) => {
      this.#release = resolve;
      this.#pump();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes the connection if the client has left something unfinished for longer than `timeout`. */
  closeIfStuck(now: number, timeout: number): void {
    if (this.#waitsSince !== null && now - this.#waitsSince > timeout) this.destroy();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isLast) return;
    this.#parser.feed(bytes);
    this.#pump();
  }

  #end(ending: "by-client" | "by-bridge"): void {
    if (this.#ending === "no") this.#ending = ending;
    this.#pump();
  }

  /** Takes questions while there is room for their replies, and sends what is ready: many replies in one write. */
  #pump(): void {
    // Read once: nothing in here waits, and the clock counts only after the last wait (law 2).
    const now = this.#context.clock.now();
    let isDry = false;
    do {
      while (!isDry && this.#hasRoom()) isDry = !this.#take(now);
      if (isDry && this.#ending !== "no") this.#close();
      this.#send(now);
    } while (!isDry && this.#hasRoom());
    this.#setReading(this.#isLast || this.#hasRoom());
    this.#updateWait(now);
    this.#releaseIfQuiet();
  }

  #releaseIfQuiet(): void {
    const resolve = this.#release;
    if (resolve === null) return;
    const isEnding = this.#isLast || this.#ending !== "no" || this.#socket.destroyed;
    if (!isEnding && (this.#replies.length > 0 || this.#isBlocked)) return;
    this.#release = null;
    if (isEnding) {
      resolve(null);
      this.#pump();
    } else {
      resolve(this.#parser.release());
    }
  }

  /** While the queue is full the socket is not read: the client's own buffers fill, and it waits. */
  #setReading(isReading: boolean): void {
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  #hasRoom(): boolean {
    const isReleasing = this.#release !== null && this.#ending === "no";
    return !this.#isLast && !isReleasing && !this.#isBlocked && this.#replies.length < MAX_QUEUE;
  }

  /** Takes the next question. @returns false if no whole one is left */
  #take(now: number): boolean {
    const parsed = this.#parser.next();
    if (parsed === null) return false;
    if (parsed.kind === "fault") this.#refuse(parsed.why);
    else {
      if (this.#protocol.once) this.#isLast = true;
      this.#answer(parsed.question, now);
    }
    return true;
  }

  #close(): void {
    if (this.#ending === "by-client" && this.#parser.isHalfWay) this.#refuse("the question did not end");
    this.#isLast = true;
  }

  #refuse(why: string): void {
    this.#isLast = true;
    this.#replies.add(this.#protocol.fault(why));
    this.#context.malformed(this.#protocol, why);
  }

  #answer(question: unknown, now: number): void {
    const context = this.#context;
    const protocol = this.#protocol;
    const exchange = protocol.exchange(question);
    if (exchange.kind === "reply") {
      this.#replies.add(exchange.reply);
      context.answered(protocol, exchange.verdict, 0);
      return;
    }
    const resolved = context.resolve(exchange.recipient, now);
    if (!(resolved instanceof Promise)) {
      this.#replies.addAnswer(exchange, resolved);
      context.answered(protocol, resolved, 0);
      return;
    }
    const reserved = this.#replies.reserve(exchange);
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
  #send(now: number): void {
    const text = this.#replies.take(now);
    if (this.#socket.destroyed || !this.#socket.writable) return;
    // Replies of all protocols are ASCII.
    if (text !== "" && !this.#socket.write(text, "latin1")) this.#isBlocked = true;
    if (this.#isLast && this.#replies.length === 0) this.#socket.end();
  }

  #updateWait(now: number): void {
    const isClientsTurn =
      this.#replies.length === 0 && (this.#isLast || this.#protocol.once || this.#parser.isHalfWay);
    if (!isClientsTurn && !this.#isBlocked) this.#waitsSince = null;
    else this.#waitsSince ??= now;
  }
}

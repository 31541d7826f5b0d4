import type { Socket } from "node:net";
import { unavailable } from "../directory/index.ts";
import type { Clock } from "./ports.ts";
import type { Parser, Protocol, Said } from "./protocols/protocol.ts";
import type { Resolution } from "./resolver.ts";

/** Questions of one connection that are being answered or wait to be sent; more stay in the socket. */
export const MAX_QUEUE = 32;

/** What a connection needs of the bridge. */
export interface ConnectionContext {
  readonly clock: Clock;
  resolve(recipient: string): Resolution | Promise<Resolution>;
  /** One question was answered, after `ms`. */
  answered(protocol: Protocol, said: Resolution | Said, ms: number): void;
  /** The client sent what its protocol does not know. */
  faulty(protocol: Protocol, why: string): void;
  /** A fault of ours; the question was deferred. */
  fault(error: unknown): void;
}

/** The part of a socket that is used. */
export type ClientSocket = Pick<
  Socket,
  "on" | "write" | "end" | "destroy" | "pause" | "resume" | "destroyed" | "writable" | "writableFinished"
>;

/** The reply to one question, once it is there. */
interface Slot {
  reply: string | null;
  /** For a refusal: until when it may be given, and what is said after that. */
  late?: { readonly from: number; instead(): string };
}

/**
 * One client. Replies go out in the order of the questions, and a bounded number of them is under way: questions
 * are read only as fast as their answers are taken. An idle connection is a socket and an empty buffer.
 */
export class Connection {
  readonly #context: ConnectionContext;
  readonly #protocol: Protocol;
  readonly #socket: ClientSocket;
  readonly #parser: Parser<unknown>;
  readonly #queue: Slot[] = [];
  /** What happens once no whole question is left: nothing, half a one is complained of, or dropped. */
  #ending: "no" | "by-client" | "by-us" = "no";
  /** No further question is read; what the client still sends is thrown away. */
  #isLast = false;
  /** The client does not take its replies. */
  #isBlocked = false;
  /** Since when the client has had to go on with something. */
  #waitsSince: number | null = null;

  constructor(context: ConnectionContext, protocol: Protocol, socket: ClientSocket) {
    this.#context = context;
    this.#protocol = protocol;
    this.#socket = socket;
    this.#parser = protocol.parser();
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("end", () => this.#end("by-client"));
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#pump();
    });
    // What breaks is closed as well, and `close` is what counts.
    socket.on("error", () => undefined);
    this.#watch();
  }

  /** Whether every answer was sent, and no more follow. */
  get isDone(): boolean {
    return this.#socket.writableFinished;
  }

  /** Answers the whole questions that have come, then closes. */
  finish(): void {
    this.#end("by-us");
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes the connection where the client has left something half-way for longer than `patience`. */
  closeIfStuck(now: number, patience: number): void {
    if (this.#waitsSince !== null && now - this.#waitsSince > patience) this.destroy();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isLast) return;
    this.#parser.feed(bytes);
    this.#pump();
  }

  #end(ending: "by-client" | "by-us"): void {
    if (this.#ending === "no") this.#ending = ending;
    this.#pump();
  }

  /** Takes questions while there is room for their answers, and sends what is ready: many replies in one write. */
  #pump(): void {
    let isDry = false;
    do {
      while (!isDry && this.#hasRoom()) isDry = !this.#take();
      if (isDry && this.#ending !== "no") this.#close();
      this.#flush();
    } while (!isDry && this.#hasRoom());
    // Not read from while full: the client's own buffers fill, and it waits.
    if (this.#isLast || this.#hasRoom()) this.#socket.resume();
    else this.#socket.pause();
    this.#watch();
  }

  #hasRoom(): boolean {
    return !this.#isLast && !this.#isBlocked && this.#queue.length < MAX_QUEUE;
  }

  /** Takes the next question. @returns false where none is whole */
  #take(): boolean {
    const parsed = this.#parser.next();
    if (parsed === null) return false;
    if (parsed.kind === "fault") this.#complain(parsed.why);
    else {
      if (this.#protocol.once) this.#isLast = true;
      this.#answer(parsed.question);
    }
    return true;
  }

  #close(): void {
    if (this.#ending === "by-client" && this.#parser.isHalfWay) this.#complain("the question did not end");
    this.#isLast = true;
  }

  #complain(why: string): void {
    this.#isLast = true;
    this.#queue.push({ reply: this.#protocol.fault(why) });
    this.#context.faulty(this.#protocol, why);
  }

  #answer(question: unknown): void {
    const { clock } = this.#context;
    const slot: Slot = { reply: null };
    this.#queue.push(slot);
    const exchange = this.#protocol.exchange(question);
    if (exchange.kind === "say") {
      slot.reply = exchange.reply;
      this.#context.answered(this.#protocol, exchange.verdict, 0);
      return;
    }
    const askedAt = clock.now();
    const settle = (resolution: Resolution): void => {
      slot.reply = exchange.reply(resolution.answer);
      // A refusal that waits behind a slower answer grows old as any other (law 2).
      const { until } = resolution;
      if (until !== undefined) {
        const instead = (): string => exchange.reply(unavailable(exchange.recipient, "grew old on its way"));
        slot.late = { from: until, instead };
      }
      this.#context.answered(this.#protocol, resolution, clock.now() - askedAt);
    };
    const resolved = this.#context.resolve(exchange.recipient);
    if (!(resolved instanceof Promise)) {
      settle(resolved);
      return;
    }
    resolved.then(settle).then(
      () => this.#pump(),
      (error: unknown) => {
        this.#context.fault(error);
        slot.reply ??= this.#protocol.fault("fault in the bridge");
        this.#pump();
      },
    );
  }

  /** Sends the replies that are next in line. */
  #flush(): void {
    let text = "";
    for (let slot = this.#queue[0]; slot?.reply != null; slot = this.#queue[0]) {
      const { late, reply } = slot;
      text += late !== undefined && this.#context.clock.now() >= late.from ? late.instead() : reply;
      this.#queue.shift();
    }
    if (this.#socket.destroyed || !this.#socket.writable) return;
    if (text !== "" && !this.#socket.write(text)) this.#isBlocked = true;
    if (this.#isLast && this.#queue.length === 0) this.#socket.end();
  }

  #watch(): void {
    const { once } = this.#protocol;
    const isClientsTurn = this.#queue.length === 0 && (this.#isLast || once || this.#parser.isHalfWay);
    if (!isClientsTurn && !this.#isBlocked) this.#waitsSince = null;
    else this.#waitsSince ??= this.#context.clock.now();
  }
}

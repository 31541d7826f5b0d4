import type { Socket } from "node:net";
import { unavailable } from "../directory/index.ts";
import type { Clock } from "./ports.ts";
import type { Exchange, Parser, Protocol, Said } from "./protocols/protocol.ts";
import type { Resolution } from "./resolver.ts";

/** Questions of one connection that are being answered or wait to be sent; more stay in the socket. */
export const MAX_QUEUE = 32;

/** What a connection needs of the bridge. */
export interface ConnectionContext {
  readonly clock: Clock;
  /** @param now the time, read since the question came */
  resolve(recipient: string, now: number): Resolution | Promise<Resolution>;
  /** One question was answered, after `ms`; 0 where there was nothing to wait for. */
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

/** The reply to one question that waits, or waits behind one, once it is there. */
interface Slot {
  reply: string | null;
  /** For a refusal: until when it may be given, and what is said after that. */
  late?: { readonly from: number; instead(): string };
}

type Ask = Extract<Exchange, { kind: "ask" }>;

/** A refusal that waits behind a slower answer grows old as any other (law 2). */
function slotOf(exchange: Ask, { answer, until }: Resolution): Slot {
  const reply = exchange.reply(answer);
  if (until === undefined) return { reply };
  const instead = (): string => exchange.reply(unavailable(exchange.recipient, "grew old on its way"));
  return { reply, late: { from: until, instead } };
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
  /** What nobody waits for any more, in the order of the questions, and how many replies that is. */
  #ready = "";
  #readyCount = 0;
  readonly #queue: Slot[] = [];
  /** What happens once no whole question is left: nothing, half a one is complained of, or dropped. */
  #ending: "no" | "by-client" | "by-us" = "no";
  /** No further question is read; what the client still sends is thrown away. */
  #isLast = false;
  /** The client does not take its replies. */
  #isBlocked = false;
  #isReading = true;
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
    this.#watch(context.clock.now());
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
    // Read once: nothing in here waits, and the clock counts only after the last wait (law 2).
    const now = this.#context.clock.now();
    let isDry = false;
    do {
      while (!isDry && this.#hasRoom()) isDry = !this.#take(now);
      if (isDry && this.#ending !== "no") this.#close();
      this.#flush(now);
    } while (!isDry && this.#hasRoom());
    this.#setReading(this.#isLast || this.#hasRoom());
    this.#watch(now);
  }

  /** Not read from while full: the client's own buffers fill, and it waits. */
  #setReading(isReading: boolean): void {
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  #hasRoom(): boolean {
    return !this.#isLast && !this.#isBlocked && this.#readyCount + this.#queue.length < MAX_QUEUE;
  }

  /** Takes the next question. @returns false where none is whole */
  #take(now: number): boolean {
    const parsed = this.#parser.next();
    if (parsed === null) return false;
    if (parsed.kind === "fault") this.#complain(parsed.why);
    else {
      if (this.#protocol.once) this.#isLast = true;
      this.#answer(parsed.question, now);
    }
    return true;
  }

  #close(): void {
    if (this.#ending === "by-client" && this.#parser.isHalfWay) this.#complain("the question did not end");
    this.#isLast = true;
  }

  #complain(why: string): void {
    this.#isLast = true;
    this.#put(this.#protocol.fault(why));
    this.#context.faulty(this.#protocol, why);
  }

  #answer(question: unknown, now: number): void {
    const exchange = this.#protocol.exchange(question);
    if (exchange.kind === "say") {
      this.#put(exchange.reply);
      this.#context.answered(this.#protocol, exchange.verdict, 0);
      return;
    }
    const resolved = this.#context.resolve(exchange.recipient, now);
    if (!(resolved instanceof Promise)) {
      if (this.#queue.length > 0) this.#queue.push(slotOf(exchange, resolved));
      else this.#say(exchange.reply(resolved.answer));
      this.#context.answered(this.#protocol, resolved, 0);
      return;
    }
    const slot: Slot = { reply: null };
    this.#queue.push(slot);
    const settle = (resolution: Resolution): void => {
      Object.assign(slot, slotOf(exchange, resolution));
      this.#context.answered(this.#protocol, resolution, this.#context.clock.now() - now);
    };
    resolved.then(settle).then(
      () => this.#pump(),
      (error: unknown) => {
        this.#context.fault(error);
        slot.reply ??= this.#protocol.fault("fault in the bridge");
        this.#pump();
      },
    );
  }

  /** A reply that never grows old. */
  #put(reply: string): void {
    if (this.#queue.length > 0) this.#queue.push({ reply });
    else this.#say(reply);
  }

  /** Nobody waits for a reply before this one. */
  #say(reply: string): void {
    this.#ready += reply;
    this.#readyCount++;
  }

  /** Sends the replies that are next in line. */
  #flush(now: number): void {
    while (this.#queue.length > 0) {
      const { reply, late } = this.#queue[0] as Slot;
      if (reply === null) break;
      this.#say(late !== undefined && now >= late.from ? late.instead() : reply);
      this.#queue.shift();
    }
    const text = this.#ready;
    this.#ready = "";
    this.#readyCount = 0;
    if (this.#socket.destroyed || !this.#socket.writable) return;
    // All that any protocol says is ASCII.
    if (text !== "" && !this.#socket.write(text, "latin1")) this.#isBlocked = true;
    if (this.#isLast && this.#queue.length === 0) this.#socket.end();
  }

  #watch(now: number): void {
    const { once } = this.#protocol;
    const isClientsTurn = this.#queue.length === 0 && (this.#isLast || once || this.#parser.isHalfWay);
    if (!isClientsTurn && !this.#isBlocked) this.#waitsSince = null;
    else this.#waitsSince ??= now;
  }
}

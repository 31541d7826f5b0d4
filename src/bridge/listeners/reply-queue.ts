import { unavailable } from "../../directory/index.ts";
import type { Resolution } from "../answers/resolution.ts";
import type { Exchange } from "../protocols/protocol.ts";

type Ask = Extract<Exchange, { kind: "ask" }>;

/** The reply to one question, null until it is known. */
interface Slot {
  reply: string | null;
  /** For a refusal: when it expires, and the reply after that. */
  expiry?: { readonly at: number; reply(): string };
}

/** A refusal that waits behind a slower answer expires like any other (law 2). */
function slotOf(exchange: Ask, { answer, until }: Resolution): Slot {
  const reply = exchange.reply(answer);
  if (until === undefined) return { reply };
  const expired = (): string => exchange.reply(unavailable(exchange.recipient, "the refusal has expired"));
  return { reply, expiry: { at: until, reply: expired } };
}

/** The replies of one connection, in the order of its questions. */
export class ReplyQueue {
  /** Replies with none before them that is still unknown, and how many they are. */
  #ready = "";
  #readyCount = 0;
  readonly #slots: Slot[] = [];

  get length(): number {
    return this.#readyCount + this.#slots.length;
  }

  /** Adds a reply that never expires. */
  add(reply: string): void {
    if (this.#slots.length > 0) this.#slots.push({ reply });
    else this.#append(reply);
  }

  /** Adds the reply for an answer that is valid now. */
  addAnswer(exchange: Ask, resolution: Resolution): void {
    if (this.#slots.length > 0) this.#slots.push(slotOf(exchange, resolution));
    else this.#append(exchange.reply(resolution.answer));
  }

  /** Reserves the place of a reply that follows. */
  reserve(exchange: Ask): { answer(resolution: Resolution): void; fail(reply: string): void } {
    const slot: Slot = { reply: null };
    this.#slots.push(slot);
    return {
      answer: (resolution) => void Object.assign(slot, slotOf(exchange, resolution)),
      fail(reply) {
        slot.reply ??= reply;
      },
    };
  }

  /** Removes and returns all replies that can be sent. */
  take(now: number): string {
    while (this.#slots.length > 0) {
      const { reply, expiry } = this.#slots[0] as Slot;
      if (reply === null) break;
      this.#append(expiry !== undefined && now >= expiry.at ? expiry.reply() : reply);
      this.#slots.shift();
    }
    const text = this.#ready;
    this.#ready = "";
    this.#readyCount = 0;
    return text;
  }

  #append(reply: string): void {
    this.#ready += reply;
    this.#readyCount++;
  }
}

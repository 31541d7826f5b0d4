import { LRUCache } from "lru-cache";
import type { Answer } from "../directory/index.ts";
import type { Floor, Floors } from "./floors.ts";

/** What an entry costs beside its text: objects, keys, the slots of the map. Measured, rounded up. */
const OVERHEAD = 640;

/** An accept or a refusal as it may be used again. */
export interface CachedAnswer {
  readonly answer: Answer;
  readonly domain: string;
  /** The domain's floor when this was stored: another one by now means that it was forgotten in between. */
  readonly floor: Floor | undefined;
  /** When the question was asked. */
  readonly askedAt: number;
  /** Until when it holds: `askedAt` and its max_age. */
  readonly expires: number;
  /** How old the evidence for it was when it was given, ms; null where it was vouched for by nobody. */
  readonly vouched: number | null;
}

/** Answers by canonical question, bounded in bytes, least recently used out first. */
export class AnswerCache {
  readonly #entries: LRUCache<string, CachedAnswer>;
  readonly #floors: Floors;
  /** Entries that went to make room, so far. */
  evictions = 0;

  constructor(maxBytes: number, floors: Floors) {
    this.#floors = floors;
    this.#entries = new LRUCache<string, CachedAnswer>({
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      dispose: (_entry, _key, reason) => {
        if (reason === "evict") this.evictions++;
      },
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The answer where it holds by its max_age. */
  fresh(question: string, now: number): Answer | null {
    const entry = this.#counting(question);
    return entry !== null && now < entry.expires ? entry.answer : null;
  }

  /** The accept that may go on while the edge is away (law 2): never a refusal. */
  underGrace(question: string, now: number, acceptGrace: number): Answer | null {
    const entry = this.#counting(question);
    if (entry === null || entry.answer.action !== "accept" || entry.vouched === null) return null;
    return entry.vouched + (now - entry.askedAt) < acceptGrace ? entry.answer : null;
  }

  store(question: string, entry: CachedAnswer): void {
    this.#entries.set(question, entry);
  }

  forget(question: string): void {
    this.#entries.delete(question);
  }

  /** An entry whose generation was not overtaken since: nobody goes back (law 3). */
  #counting(question: string): CachedAnswer | null {
    const entry = this.#entries.get(question);
    if (entry === undefined) return null;
    const floor = this.#floors.get(entry.domain);
    if (floor === entry.floor && (entry.answer.generation ?? 0) >= (floor?.generation ?? 0)) return entry;
    // An answer without a generation (no such domain here) says nothing about the one that came after it.
    this.#entries.delete(question);
    return null;
  }
}

/** Two bytes a character at most; the key and the fields that hold text. */
function sizeOf({ answer, domain }: CachedAnswer, question: string): number {
  const { recipient, reply, observed = "", detail = "" } = answer;
  const characters =
    question.length + domain.length + recipient.length + reply.length + observed.length + detail.length;
  return OVERHEAD + 2 * characters;
}

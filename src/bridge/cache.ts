import { LRUCache } from "lru-cache";
import type { Answer } from "../directory/index.ts";
import type { Floor, Floors } from "./floors.ts";

/** What an entry costs beside its text: objects, keys, the slots of the map. Measured, rounded up. */
const OVERHEAD = 480;
/** Refusals serve for one window only; a flood of them must not push out the accepts that an outage needs. */
const SHARE_OF_REFUSALS = 0.25;

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
  /** When the Registry gave the last sign that an accept rests on; null where there was none. */
  readonly vouchedAt: number | null;
}

/** Answers by canonical question, bounded in bytes, least recently used out first. */
export class AnswerCache {
  readonly #accepts: LRUCache<string, CachedAnswer>;
  readonly #refusals: LRUCache<string, CachedAnswer>;
  readonly #floors: Floors;
  #evictions = 0;

  constructor(maxBytes: number, floors: Floors) {
    const bounded = (maxSize: number): LRUCache<string, CachedAnswer> =>
      new LRUCache<string, CachedAnswer>({
        maxSize,
        sizeCalculation: sizeOf,
        dispose: (_entry, _question, reason) => {
          if (reason === "evict") this.#evictions++;
        },
      });
    const refusals = Math.floor(maxBytes * SHARE_OF_REFUSALS);
    this.#accepts = bounded(maxBytes - refusals);
    this.#refusals = bounded(refusals);
    this.#floors = floors;
  }

  /** Bytes that the entries take, by estimate. */
  get bytes(): number {
    return this.#accepts.calculatedSize + this.#refusals.calculatedSize;
  }

  get size(): number {
    return this.#accepts.size + this.#refusals.size;
  }

  /** Entries that went to make room, so far. */
  get evictions(): number {
    return this.#evictions;
  }

  /** The answer where it holds by its max_age. */
  fresh(question: string, now: number): CachedAnswer | null {
    const entry = this.#counting(this.#accepts, question) ?? this.#counting(this.#refusals, question);
    return entry !== null && now < entry.expires ? entry : null;
  }

  /** The accept that may go on while the edge is away (law 2): never a refusal. */
  underGrace(question: string, now: number, acceptGrace: number): Answer | null {
    const entry = this.#counting(this.#accepts, question);
    if (entry === null || entry.vouchedAt === null) return null;
    return now - entry.vouchedAt < acceptGrace ? entry.answer : null;
  }

  /** The accept that is remembered, whether it holds any more or not. */
  accepted(question: string): CachedAnswer | null {
    return this.#counting(this.#accepts, question);
  }

  /** Keeps an accept or a refusal in place of what was known before. */
  store(question: string, entry: CachedAnswer): void {
    this.forget(question);
    (entry.answer.action === "accept" ? this.#accepts : this.#refusals).set(question, entry);
  }

  forget(question: string): void {
    this.#accepts.delete(question);
    this.#refusals.delete(question);
  }

  /** An entry whose generation was not overtaken since: nobody goes back (law 3). */
  #counting(entries: LRUCache<string, CachedAnswer>, question: string): CachedAnswer | null {
    const entry = entries.get(question);
    if (entry === undefined) return null;
    const floor = this.#floors.get(entry.domain);
    if (floor === entry.floor && (entry.answer.generation ?? 0) >= (floor?.generation ?? 0)) return entry;
    entries.delete(question);
    return null;
  }
}

/** Two bytes a character at most: of the question, and of all text in the answer. */
function sizeOf({ answer, domain }: CachedAnswer, question: string): number {
  const { recipient, reply, observed = "", detail = "" } = answer;
  const characters =
    question.length + domain.length + recipient.length + reply.length + observed.length + detail.length;
  return OVERHEAD + 2 * characters;
}

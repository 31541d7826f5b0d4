import { LRUCache } from "lru-cache";
import type { Answer } from "../../directory/index.ts";
import type { MinGeneration, MinGenerations } from "./min-generations.ts";

/** What an entry costs besides its text: objects, keys, map slots. Measured, rounded up. */
const OVERHEAD = 480;
/** Refusals last one window only; a flood of them must not push out the accepts that an outage needs. */
const SHARE_OF_REFUSALS = 0.25;

/** An accept or a refusal that may be used again. */
export interface CachedAnswer {
  readonly answer: Answer;
  readonly domain: string;
  /** The domain's state when this was stored. If it is another object by now, the state was forgotten in between. */
  readonly minGeneration: MinGeneration | undefined;
  /** Until when it holds: from the question, for its max_age. */
  readonly expires: number;
  /** The edge's last contact with the Registry that an accept rests on; null if there was none. */
  readonly contactAt: number | null;
}

/** Answers by canonical question, bounded in bytes, least recently used out first. */
export class AnswerCache {
  readonly #accepts: LRUCache<string, CachedAnswer>;
  readonly #refusals: LRUCache<string, CachedAnswer>;
  readonly #minGenerations: MinGenerations;
  readonly maxBytes: number;
  #evictions = 0;

  constructor(maxBytes: number, minGenerations: MinGenerations) {
    this.maxBytes = maxBytes;
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
    this.#minGenerations = minGenerations;
  }

  /** Estimated size of the entries. */
  get bytes(): number {
    return this.#accepts.calculatedSize + this.#refusals.calculatedSize;
  }

  get size(): number {
    return this.#accepts.size + this.#refusals.size;
  }

  /** Entries removed to make room, since the start. */
  get evictions(): number {
    return this.#evictions;
  }

  /** A cache of another size with the same answers: the most recently used ones, if it is smaller. */
  resized(maxBytes: number): AnswerCache {
    if (maxBytes === this.maxBytes) return this;
    const resized = new AnswerCache(maxBytes, this.#minGenerations);
    resized.#accepts.load(this.#accepts.dump());
    resized.#refusals.load(this.#refusals.dump());
    resized.#evictions = this.#evictions;
    return resized;
  }

  /** The answer, if it holds by its max_age. */
  fresh(question: string, now: number): CachedAnswer | null {
    const entry = this.#current(this.#accepts, question) ?? this.#current(this.#refusals, question);
    return entry !== null && now < entry.expires ? entry : null;
  }

  /** The accept that holds while the edge is away (law 2); never a refusal. */
  underGrace(question: string, now: number, acceptGrace: number): Answer | null {
    const entry = this.#current(this.#accepts, question);
    if (entry === null || entry.contactAt === null) return null;
    return now - entry.contactAt < acceptGrace ? entry.answer : null;
  }

  /** The cached accept, whether it still holds or not. */
  accepted(question: string): CachedAnswer | null {
    return this.#current(this.#accepts, question);
  }

  /** Stores an accept or a refusal in place of the earlier answer. */
  store(question: string, entry: CachedAnswer): void {
    this.forget(question);
    (entry.answer.action === "accept" ? this.#accepts : this.#refusals).set(question, entry);
  }

  forget(question: string): void {
    this.#accepts.delete(question);
    this.#refusals.delete(question);
  }

  /** An entry, unless a newer generation was seen since (law 3). */
  #current(entries: LRUCache<string, CachedAnswer>, question: string): CachedAnswer | null {
    const entry = entries.get(question);
    if (entry === undefined) return null;
    const min = this.#minGenerations.get(entry.domain);
    if (min === entry.minGeneration && (entry.answer.generation ?? 0) >= (min?.generation ?? 0)) return entry;
    entries.delete(question);
    return null;
  }
}

/** At most two bytes a character: of the question, and of all text in the answer. */
function sizeOf({ answer, domain }: CachedAnswer, question: string): number {
  const { recipient, reply, observed = "", detail = "" } = answer;
  const characters =
    question.length + domain.length + recipient.length + reply.length + observed.length + detail.length;
  return OVERHEAD + 2 * characters;
}

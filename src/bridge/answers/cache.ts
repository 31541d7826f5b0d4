import { LRUCache } from "lru-cache";
import type { Answer } from "../../directory/index.ts";
import { type Heard, isOlderThanHeard, type MinGeneration, type MinGenerations } from "./min-generations.ts";

/** What an entry costs besides its text: objects, keys, map slots. Measured, rounded up. */
const OVERHEAD = 480;
/** Refusals last one window only; a flood of them must not push out the accepts that an outage needs. */
const SHARE_OF_REFUSALS = 0.25;
/** For how long an accept goes on at most if something newer of its domain is known, from its own last confirmation, ms. */
export const SUPERSEDED_GRACE = 86_400_000;

/** An accept or a refusal that may be used again. */
export interface CachedAnswer {
  readonly answer: Answer;
  readonly domain: string;
  /**
   * The domain's state when this was stored. If it is another object by now, a newer log or the end of the domain was seen
   * since, or the state was forgotten.
   */
  readonly minGeneration: MinGeneration | undefined;
  /** Until when it holds: from the question, for its max_age. */
  readonly expires: number;
  /** The edge's last contact with the Registry that an accept rests on; null if there was none. */
  readonly contactAt: number | null;
  /** When an accept of this recipient was last confirmed as the newest; null if it never was. */
  readonly confirmedAt: number | null;
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

  /** The answer, if it holds by its max_age. @param heard what the host has heard of the domain's log by itself */
  fresh(question: string, now: number, heard: Heard | null): CachedAnswer | null {
    const entry = this.#accepts.get(question) ?? this.#refusals.get(question);
    return entry !== undefined && this.#isNewest(entry, heard) && now < entry.expires ? entry : null;
  }

  /**
   * The accept that goes on while the edge is away (law 2); never a refusal. It holds for accept-grace, or for a day if
   * something newer of its domain is known.
   */
  underGrace(question: string, now: number, acceptGrace: number, heard: Heard | null): Answer | null {
    const entry = this.#accepts.get(question);
    if (entry === undefined) return null;
    const isNewest = this.#isNewest(entry, heard);
    const since = isNewest ? entry.contactAt : entry.confirmedAt;
    const grace = isNewest ? acceptGrace : Math.min(acceptGrace, SUPERSEDED_GRACE);
    return since !== null && now - since < grace ? entry.answer : null;
  }

  /** The cached accept, whether it still holds or not, and whatever was seen since. */
  held(question: string): CachedAnswer | null {
    return this.#accepts.get(question) ?? null;
  }

  /** The same, if nothing newer of its domain is known. */
  accepted(question: string, heard: Heard | null): CachedAnswer | null {
    const entry = this.held(question);
    return entry !== null && this.#isNewest(entry, heard) ? entry : null;
  }

  /** Whether nothing newer of its domain is known (law 3). */
  #isNewest({ answer, domain, minGeneration }: CachedAnswer, heard: Heard | null): boolean {
    const min = this.#minGenerations.get(domain);
    const isSeen = min === minGeneration && (answer.generation ?? 0) >= (min?.generation ?? 0);
    return isSeen && !isOlderThanHeard(answer, heard);
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
}

/** At most two bytes a character: of the question, and of all text in the answer. */
function sizeOf({ answer, domain }: CachedAnswer, question: string): number {
  const { recipient, reply, observed = "", detail = "" } = answer;
  const characters =
    question.length + domain.length + recipient.length + reply.length + observed.length + detail.length;
  return OVERHEAD + 2 * characters;
}

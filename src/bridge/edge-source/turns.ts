import type { Release } from "../../runtime/semaphore.ts";
import type { Askers, Client } from "../answers/askers.ts";
import type { SteadyClock } from "../ports.ts";

/** Why there is no permit: the deadline has passed, or the client has as many questions waiting as it may have. */
export type NoPermit = "late" | "full";

interface Waiting {
  readonly deadline: number;
  /** Null once it has its permit, or is too late. */
  settle: ((permit: Release | NoPermit) => void) | null;
}

/**
 * Gives out a fixed number of permits. Clients take turns, so that one that asks for much delays its own questions above
 * all. Together they may have `most` questions waiting; past that, a client may have its equal share of them, and one
 * in any case.
 */
export class Turns {
  readonly #clock: SteadyClock;
  readonly #permits: number;
  readonly #most: number;
  /** Questions that wait, by client, in the order of turns. One that many clients ask stands with each of them. */
  readonly #waiting = new Map<Client, Waiting[]>();
  #count = 0;
  #inUse = 0;

  constructor(clock: SteadyClock, permits: number, most: number) {
    this.#clock = clock;
    this.#permits = permits;
    this.#most = most;
  }

  /** @param deadline after which no permit is of use, in time of the clock */
  acquire(askers: Askers, deadline: number): Promise<Release | NoPermit> {
    if (this.#inUse < this.#permits) {
      this.#inUse++;
      return Promise.resolve(this.#release);
    }
    return new Promise((settle) => {
      const waiting: Waiting = { deadline, settle };
      // It needs room with one of those who ask.
      const hasRoom = askers.each((client) => this.#wait(client, waiting));
      if (!hasRoom) settle("full");
    });
  }

  /** @returns whether the client may have one more waiting */
  #wait(client: Client, waiting: Waiting): boolean {
    if (waiting.settle === null) return false;
    const own = this.#waiting.get(client) ?? [];
    while (own[0] !== undefined && this.#isOver(own[0])) this.#drop(own);
    const clients = this.#waiting.size + (this.#waiting.has(client) ? 0 : 1);
    if (this.#count >= this.#most && own.length >= Math.max(1, Math.floor(this.#most / clients)))
      return false;
    own.push(waiting);
    this.#count++;
    this.#waiting.set(client, own);
    return true;
  }

  readonly #release: Release = () => {
    const next = this.#next();
    // The permit passes to the next question, so the number in use stays.
    if (next === null) this.#inUse--;
    else next(this.#release);
  };

  #next(): Waiting["settle"] {
    for (const [client, own] of this.#waiting) {
      while (own[0] !== undefined && this.#isOver(own[0])) this.#drop(own);
      const waiting = own[0];
      // Whose turn it was comes last.
      this.#waiting.delete(client);
      if (waiting === undefined) continue;
      const { settle } = waiting;
      waiting.settle = null;
      this.#drop(own);
      if (own.length > 0) this.#waiting.set(client, own);
      return settle;
    }
    return null;
  }

  /** Whether it needs no permit any more. */
  #isOver({ settle, deadline }: Waiting): boolean {
    return settle === null || this.#clock.now() >= deadline;
  }

  #drop(own: Waiting[]): void {
    const waiting = own.shift();
    this.#count--;
    waiting?.settle?.("late");
    if (waiting !== undefined) waiting.settle = null;
  }
}

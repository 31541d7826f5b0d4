import type { Outcome } from "../../client/index.ts";
import type { Query } from "../answers/answer-source.ts";
import type { AskEdge } from "./ask-edge.ts";

/**
 * Most questions in one request. A cold isolate may have to read a part of the list for each, six at a time, and all of
 * them wait for the slowest.
 */
const BATCH = 16;

export interface Reply {
  readonly outcome: Outcome;
  /** Whether this is the first of its request: a request that fails is one failure, however many questions it held. */
  readonly isFirst: boolean;
  /** When the request was sent, in time of the bridge's clock. The question may have waited before. */
  readonly sentAt: number;
}

interface Waiting {
  readonly query: Query;
  readonly settle: (reply: Promise<Reply> | null) => void;
}

/** The questions about one domain. */
interface Queue {
  readonly waiting: Waiting[];
  /** Requests under way. */
  requests: number;
}

/**
 * Sends questions to the edge: each at once in a request of its own while there are few, and together with others about
 * the same domain when many arrive at the same time, as in a dictionary attack. Domains are kept apart because the
 * minimum generation and the token's rights are per domain, and because one domain's trouble must not reach another.
 */
export class Batcher {
  readonly #ask: AskEdge;
  readonly #now: () => number;
  readonly #maxRequests: number;
  readonly #queues = new Map<string, Queue>();

  /** @param maxRequests about one domain at the same time; {@link Batcher.askAlone} does not count */
  constructor(ask: AskEdge, now: () => number, maxRequests: number) {
    this.#ask = ask;
    this.#now = now;
    this.#maxRequests = maxRequests;
  }

  /** @returns null if the deadline passed before the question could be sent */
  ask(query: Query): Promise<Reply | null> {
    return new Promise((settle) => {
      const queue = this.#queues.get(query.domain) ?? { waiting: [], requests: 0 };
      this.#queues.set(query.domain, queue);
      queue.waiting.push({ query, settle });
      this.#send(query.domain, queue);
    });
  }

  /** Asks without waiting for other requests, which may all wait for an edge that hangs. */
  async askAlone({ recipient, domain, minGeneration }: Query): Promise<Reply> {
    const sentAt = this.#now();
    const [outcome] = await this.#ask([recipient], domain, minGeneration());
    return { outcome: outcome as Outcome, isFirst: true, sentAt };
  }

  #send(domain: string, queue: Queue): void {
    while (queue.requests < this.#maxRequests && queue.waiting.length > 0) {
      const batch = queue.waiting.splice(0, BATCH).filter(({ query, settle }) => {
        if (this.#now() < query.deadline) return true;
        settle(null);
        return false;
      });
      if (batch.length > 0) void this.#request(domain, queue, batch);
    }
    if (queue.requests === 0) this.#queues.delete(domain);
  }

  async #request(domain: string, queue: Queue, batch: readonly Waiting[]): Promise<void> {
    queue.requests++;
    const sentAt = this.#now();
    const outcomes = this.#askAbout(domain, batch);
    for (const [i, { settle }] of batch.entries()) {
      settle(outcomes.then((all) => ({ outcome: all[i] as Outcome, isFirst: i === 0, sentAt })));
    }
    try {
      await outcomes;
    } catch {
      // Each question fails by itself.
    } finally {
      queue.requests--;
      this.#send(domain, queue);
    }
  }

  async #askAbout(domain: string, batch: readonly Waiting[]): Promise<readonly Outcome[]> {
    const recipients = batch.map(({ query }) => query.recipient);
    const minGeneration = Math.max(...batch.map(({ query }) => query.minGeneration()));
    return this.#ask(recipients, domain, minGeneration);
  }
}

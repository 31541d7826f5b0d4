import type { Outcome } from "../client/index.ts";
import type { AskEdge } from "./ports.ts";

/**
 * Questions in one request at most. A cold isolate may have to read a part of the list for each, six at a time, and
 * all of them wait for the slowest.
 */
const BATCH = 16;

/** A question for the edge. */
export interface EdgeQuestion {
  readonly recipient: string;
  readonly domain: string;
  /** Highest generation of the domain seen so far, 0 for none. */
  readonly floor: number;
  /** Whether nobody waits for the answer any more. */
  isLate(): boolean;
}

/** What came of a question. */
export interface Reply {
  readonly outcome: Outcome;
  /** Whether this one speaks for its request: a request that fails is one failure, however many went along. */
  readonly speaks: boolean;
}

interface Waiting {
  readonly question: EdgeQuestion;
  readonly settle: (reply: Promise<Reply> | null) => void;
}

/** What is asked about one domain. */
interface Queue {
  readonly waiting: Waiting[];
  /** Requests. */
  underWay: number;
}

/**
 * Takes questions to the edge: each at once and by itself while there are few, and in one request with others about
 * its domain where many come at the same time, as under a dictionary attack. Of a domain, since its floor and the
 * token's rights are the same for all of them, and so that one domain's trouble is not another's.
 */
export class Batcher {
  readonly #ask: AskEdge;
  readonly #width: number;
  readonly #queues = new Map<string, Queue>();

  /** @param width requests about one domain at the same time; {@link Batcher.askAlone} is not counted */
  constructor(ask: AskEdge, width: number) {
    this.#ask = ask;
    this.#width = width;
  }

  /** @returns null where the question was late before it could go */
  ask(question: EdgeQuestion): Promise<Reply | null> {
    return new Promise((settle) => {
      const queue = this.#queues.get(question.domain) ?? { waiting: [], underWay: 0 };
      this.#queues.set(question.domain, queue);
      queue.waiting.push({ question, settle });
      this.#send(question.domain, queue);
    });
  }

  /** Asks without waiting for others: they may all wait for an edge that hangs. */
  async askAlone({ recipient, domain, floor }: EdgeQuestion): Promise<Reply> {
    const [outcome] = await this.#ask([recipient], domain, floor);
    return { outcome: outcome as Outcome, speaks: true };
  }

  #send(domain: string, queue: Queue): void {
    while (queue.underWay < this.#width && queue.waiting.length > 0) {
      const batch = queue.waiting.splice(0, BATCH).filter(({ question, settle }) => {
        if (!question.isLate()) return true;
        settle(null);
        return false;
      });
      if (batch.length > 0) void this.#exchange(domain, queue, batch);
    }
    if (queue.underWay === 0) this.#queues.delete(domain);
  }

  async #exchange(domain: string, queue: Queue, batch: readonly Waiting[]): Promise<void> {
    queue.underWay++;
    const outcomes = this.#askAbout(domain, batch);
    for (const [i, { settle }] of batch.entries()) {
      settle(outcomes.then((all) => ({ outcome: all[i] as Outcome, speaks: i === 0 })));
    }
    try {
      await outcomes;
    } catch {
      // Each question fails by it.
    } finally {
      queue.underWay--;
      this.#send(domain, queue);
    }
  }

  async #askAbout(domain: string, batch: readonly Waiting[]): Promise<readonly Outcome[]> {
    const recipients = batch.map(({ question }) => question.recipient);
    const floor = Math.max(...batch.map(({ question }) => question.floor));
    return this.#ask(recipients, domain, floor);
  }
}

import type { Outcome } from "../client/index.ts";
import type { AskEdge } from "./ports.ts";

/**
 * Questions in one request at most. A cold isolate may have to read a part of the list for each, six at a time, and
 * all of them wait for the slowest.
 */
const BATCH = 16;

/** A question that waits for a request to take it along. */
interface Waiting {
  readonly recipient: string;
  readonly floor: number;
  readonly settle: (outcome: Promise<Outcome>) => void;
}

/**
 * Takes questions to the edge: each at once and by itself while there are few, and in one request with others about
 * its domain where many come at the same time, as under a dictionary attack. Of a domain, since its floor and the
 * token's rights are the same for all of them.
 */
export class Batcher {
  readonly #ask: AskEdge;
  readonly #width: number;
  /** By domain; the domain that has waited longest comes first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #underWay = 0;

  /** @param width requests at the same time; {@link Batcher.askAlone} is not counted */
  constructor(ask: AskEdge, width: number) {
    this.#ask = ask;
    this.#width = width;
  }

  /** @returns what {@link AskEdge} says about this recipient */
  ask(recipient: string, domain: string, floor: number): Promise<Outcome> {
    return new Promise((settle) => {
      const waiting = this.#waiting.get(domain);
      const question = { recipient, floor, settle };
      if (waiting === undefined) this.#waiting.set(domain, [question]);
      else waiting.push(question);
      this.#send();
    });
  }

  /** Asks without waiting for others: they may all wait for an edge that hangs. */
  async askAlone(recipient: string, domain: string, floor: number): Promise<Outcome> {
    const [outcome] = await this.#ask([recipient], domain, floor);
    return outcome as Outcome;
  }

  #send(): void {
    while (this.#underWay < this.#width) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [domain, waiting] = next;
      const batch = waiting.splice(0, BATCH);
      this.#waiting.delete(domain);
      // Whoever is left waits behind the other domains.
      if (waiting.length > 0) this.#waiting.set(domain, waiting);
      void this.#exchange(domain, batch);
    }
  }

  async #exchange(domain: string, batch: readonly Waiting[]): Promise<void> {
    this.#underWay++;
    const recipients = batch.map(({ recipient }) => recipient);
    const outcomes = this.#ask(recipients, domain, Math.max(...batch.map(({ floor }) => floor)));
    for (const [i, { settle }] of batch.entries()) settle(outcomes.then((all) => all[i] as Outcome));
    try {
      await outcomes;
    } catch {
      // Each question fails by it.
    } finally {
      this.#underWay--;
      this.#send();
    }
  }
}

import { failure } from "./failure.ts";

/** Pieces of work of one token, and of all, that may wait or be under way. */
const MOST_OF_ONE = 2;
const MOST = 16;

/** Does one piece of work at a time. Tokens take turns, so that one that asks for much delays its own work above all. */
export class FairQueue {
  /** Work that waits, by token, in the order of turns. */
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();
  /** Whose work is being done. */
  #running: string | null = null;

  /** @throws RegistryFailure `unavailable` if too much waits */
  async add<T>(by: string, work: () => Promise<T>): Promise<T> {
    const own = this.#waiting.get(by) ?? [];
    const all = [...this.#waiting.values()].reduce((sum, { length }) => sum + length, this.#running ? 1 : 0);
    if (own.length + (this.#running === by ? 1 : 0) >= MOST_OF_ONE) {
      throw failure("unavailable", `${MOST_OF_ONE} plans of this token are waiting: try again later`);
    }
    if (all >= MOST) throw failure("unavailable", `${MOST} plans are waiting: try again later`);
    return new Promise((resolve, reject) => {
      own.push(() => work().then(resolve, reject));
      this.#waiting.set(by, own);
      if (this.#running === null) void this.#run();
    });
  }

  async #run(): Promise<void> {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const [by, own] = next;
      const work = own.shift() as () => Promise<void>;
      if (own.length === 0) this.#waiting.delete(by);
      this.#running = by;
      await work();
      // Whose turn it was comes last, also with what came meanwhile.
      const more = this.#waiting.get(by);
      this.#waiting.delete(by);
      if (more !== undefined) this.#waiting.set(by, more);
    }
    this.#running = null;
  }
}

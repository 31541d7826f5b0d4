import { failure } from "./failure.ts";

/** Pieces of work of one token, and of all, that may wait or be under way, by what they are. */
const MOST = {
  /** Each holds all names that it names. */
  plans: { ofOne: 2, ofAll: 16 },
  /** A publisher sends a commit once. */
  commits: { ofOne: 16, ofAll: 64 },
} as const;

/** What is judged. */
export type Kind = keyof typeof MOST;

interface Piece {
  readonly kind: Kind;
  work(): Promise<void>;
}

/** Does one piece of work at a time. Tokens take turns, so that one that asks for much delays its own work above all. */
export class FairQueue {
  /** Work that waits, by token, in the order of turns. */
  readonly #waiting = new Map<string, Piece[]>();
  /** Whose work is being done, and what it is. */
  #running: { readonly by: string; readonly kind: Kind } | null = null;

  /** @throws RegistryFailure `unavailable` if too much waits */
  async add<T>(kind: Kind, by: string, work: () => Promise<T>): Promise<T> {
    const own = this.#waiting.get(by) ?? [];
    const { ofOne, ofAll } = MOST[kind];
    const running = this.#running?.kind === kind ? this.#running.by : null;
    const count = (pieces: readonly Piece[]): number => pieces.filter((piece) => piece.kind === kind).length;
    if (count(own) + (running === by ? 1 : 0) >= ofOne) {
      throw failure("unavailable", `${ofOne} ${kind} of this token are waiting: try again later`);
    }
    const all = [...this.#waiting.values()].reduce((sum, pieces) => sum + count(pieces), running ? 1 : 0);
    if (all >= ofAll) throw failure("unavailable", `${ofAll} ${kind} are waiting: try again later`);
    return new Promise((resolve, reject) => {
      own.push({ kind, work: () => work().then(resolve, reject) });
      this.#waiting.set(by, own);
      if (this.#running === null) void this.#run();
    });
  }

  async #run(): Promise<void> {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const [by, own] = next;
      const { kind, work } = own.shift() as Piece;
      if (own.length === 0) this.#waiting.delete(by);
      this.#running = { by, kind };
      await work();
      // Whose turn it was comes last, also with what came meanwhile.
      const more = this.#waiting.get(by);
      this.#waiting.delete(by);
      if (more !== undefined) this.#waiting.set(by, more);
    }
    this.#running = null;
  }
}

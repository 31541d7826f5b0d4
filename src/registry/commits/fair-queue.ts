import { MAX_PLAN_BODY } from "../../api/index.ts";
import { failure } from "../failure.ts";

/** Pieces of work of one token, and of all, that may wait or be under way, by what they are. */
const MOST = {
  plans: { ofOne: 2, ofAll: 16 },
  /** A publisher sends a commit once. */
  commits: { ofOne: 16, ofAll: 64 },
} as const;

/** Octets that all of them may hold: two of the longest, which an instance has room for beside what judging takes. */
const MOST_OCTETS = 2 * MAX_PLAN_BODY;

/** What is judged. */
export type Kind = keyof typeof MOST;

interface Piece {
  readonly kind: Kind;
  readonly octets: number;
  work(): Promise<void>;
}

/** Does one piece of work at a time. Tokens take turns, so that one that asks for much delays its own work above all. */
export class FairQueue {
  /** Work that waits, by token, in the order of turns. */
  readonly #waiting = new Map<string, Piece[]>();
  /** Whose work is being done, and what it is. */
  #running: { readonly by: string; readonly piece: Piece } | null = null;

  /**
   * @param octets that the work holds until it is done
   * @throws RegistryFailure `unavailable` if too much waits
   */
  async add<T>(kind: Kind, by: string, octets: number, work: () => Promise<T>): Promise<T> {
    const own = this.#waiting.get(by) ?? [];
    const { ofOne, ofAll } = MOST[kind];
    const count = (pieces: readonly Piece[]): number => pieces.filter((piece) => piece.kind === kind).length;
    const running = this.#running === null ? [] : [this.#running.piece];
    if (count(own) + (this.#running?.by === by ? count(running) : 0) >= ofOne) {
      throw failure("unavailable", `${ofOne} ${kind} of this token are waiting: try again later`);
    }
    const all = [...running, ...[...this.#waiting.values()].flat()];
    if (count(all) >= ofAll) throw failure("unavailable", `${ofAll} ${kind} are waiting: try again later`);
    const held = all.reduce((sum, piece) => sum + piece.octets, 0);
    // What is alone has to be possible.
    if (all.length > 0 && held + octets > MOST_OCTETS) {
      throw failure("unavailable", `${held} octets of plans and commits are waiting: try again later`);
    }
    return new Promise((resolve, reject) => {
      own.push({ kind, octets, work: () => work().then(resolve, reject) });
      this.#waiting.set(by, own);
      if (this.#running === null) void this.#run();
    });
  }

  async #run(): Promise<void> {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const [by, own] = next;
      const piece = own.shift() as Piece;
      if (own.length === 0) this.#waiting.delete(by);
      this.#running = { by, piece };
      await piece.work();
      // Whose turn it was comes last, also with what came meanwhile.
      const more = this.#waiting.get(by);
      this.#waiting.delete(by);
      if (more !== undefined) this.#waiting.set(by, more);
    }
    this.#running = null;
  }
}

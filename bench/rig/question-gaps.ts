/** For how long the Registry answers no question: asked without a pause, as many replicas do. */
import type { RollcallClient } from "../../src/client/index.ts";
import { cpuOf } from "./processes.ts";

/** Questions that wait for their answers at the same time. */
const AT_ONCE = 4;

/** What was seen while work was done. */
export interface Gaps {
  /** The longest time between two answers, ms. */
  readonly longest: number;
  /** The most that the Registry's process computed between two answers, ms of CPU: other processes do not prolong it. */
  readonly cpu: number;
  readonly answers: number;
}

export class QuestionGaps implements AsyncDisposable {
  readonly #client: RollcallClient;
  readonly #pid: number;
  readonly #asking: Promise<void>[];
  #isOver = false;
  #last = performance.now();
  #lastCpu = 0;
  #seen = { longest: 0, cpu: 0, answers: 0 };
  #failed: unknown;

  /**
   * @param client with a token of role replica; each question goes to the Registry itself, and no cache answers it
   * @param pid of the process that the Registry is in
   */
  constructor(client: RollcallClient, pid: number) {
    this.#client = client;
    this.#pid = pid;
    this.#asking = Array.from({ length: AT_ONCE }, (_, i) => this.#ask(i));
  }

  async during(work: () => Promise<unknown>): Promise<Gaps> {
    this.#note();
    this.#seen = { longest: 0, cpu: 0, answers: 0 };
    await work();
    // A gap that is not over yet counts, too.
    this.#note();
    if (this.#failed !== undefined) throw this.#failed;
    return this.#seen;
  }

  #note(): void {
    const [now, cpu] = [performance.now(), cpuOf(this.#pid)];
    const seen = this.#seen;
    seen.longest = Math.max(seen.longest, now - this.#last);
    seen.cpu = Math.max(seen.cpu, cpu - this.#lastCpu);
    [this.#last, this.#lastCpu] = [now, cpu];
  }

  async #ask(asker: number): Promise<void> {
    try {
      for (let i = 0; !this.#isOver; i++) {
        await this.#client.changes({ partition: 0, since: null, nonce: `gap-${asker}-${i}` });
        this.#note();
        this.#seen.answers++;
      }
    } catch (error) {
      this.#failed ??= error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#asking);
  }
}

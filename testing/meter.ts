/** What the platform allows to one invocation. */
const OPERATIONS = 1_000;
const AT_ONCE = 6;

/** Counts the operations of one invocation on KV and objects, and fails what the platform would not allow. */
export class Meter {
  kv = 0;
  registry = 0;
  /** Operations that were waiting at the same time, at most. */
  widest = 0;
  /** What went past a limit; an operation that does fails too. */
  readonly violations: string[] = [];
  readonly #violation: (words: string) => void;
  #waiting = 0;

  /** @param violation learns of each of them */
  constructor(violation: (words: string) => void = () => undefined) {
    this.#violation = violation;
  }

  get total(): number {
    return this.kv + this.registry;
  }

  async count<T>(kind: "kv" | "registry", operation: () => Promise<T>): Promise<T> {
    this[kind]++;
    this.widest = Math.max(this.widest, ++this.#waiting);
    try {
      if (this.total > OPERATIONS) this.#fail(`operation number ${this.total} of one invocation`);
      if (this.#waiting > AT_ONCE) this.#fail(`${this.#waiting} operations waiting at once`);
      return await operation();
    } finally {
      this.#waiting--;
    }
  }

  #fail(what: string): never {
    this.violations.push(what);
    this.#violation(what);
    throw new Error(`past the limits of the platform: ${what}`);
  }
}

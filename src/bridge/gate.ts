/** Lets a bounded number in at a time; the rest wait in order, up to a bound. */
export class Gate {
  readonly #width: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(width: number, maxWaiting: number) {
    this.#width = width;
    this.#maxWaiting = maxWaiting;
  }

  get inside(): number {
    return this.#inside;
  }

  /** Waits for a place. @returns what gives it back, or null where too many wait already */
  async enter(): Promise<(() => void) | null> {
    if (this.#inside >= this.#width) {
      if (this.#waiting.length >= this.#maxWaiting) return null;
      // The one who leaves hands the place on, so the number inside stays.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#inside++;
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    };
  }
}

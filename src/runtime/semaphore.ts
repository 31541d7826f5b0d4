/** Returns a permit. To be called once. */
export type Release = () => void;

/** Gives out a fixed number of permits; callers beyond that wait in order. */
export class Semaphore {
  readonly #permits: number;
  readonly #waiting: (() => void)[] = [];
  #inUse = 0;

  constructor(permits: number) {
    this.#permits = permits;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Waits for a permit. */
  acquire(): Promise<Release> {
    if (this.#inUse < this.#permits) {
      this.#inUse++;
      return Promise.resolve(this.#release);
    }
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#release)));
  }

  readonly #release: Release = () => {
    const next = this.#waiting.shift();
    // The permit passes to the next caller, so the number in use stays.
    if (next === undefined) this.#inUse--;
    else next();
  };
}

/** Manifests of domains not known to be served that may be read between two refreshes. */
const COLD_READS = 16;

/** Bounds the reads for invented domains while the served ones are not known (law 7). */
export class ColdReads {
  #left = COLD_READS;

  get areUsedUp(): boolean {
    return this.#left <= 0;
  }

  take(): void {
    this.#left--;
  }

  /** Allows all of them again. */
  allow(): void {
    this.#left = COLD_READS;
  }
}

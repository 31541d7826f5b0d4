/** Whether a host's clock can be relied on: a contact with a Registry puts right what is counted from that contact on. */
export class ClockTrust {
  readonly #now: () => number;
  /** Partitions that were heard of since the clock was last wrong; null if it never was. */
  #heardSince: Set<number> | null = null;
  /** When the clock was last set wrong, or right again. */
  changedAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  noteChange(): void {
    this.#heardSince = new Set();
    this.changedAt = this.#now();
  }

  /** @param askedAt a contact counts from when it was asked for: a change of the clock after that makes it look older */
  noteContact(partition: number, askedAt: number): void {
    if (askedAt > this.changedAt) this.#heardSince?.add(partition);
  }

  /** Whether it was right since the last contact with a partition: another's says nothing of that contact. */
  isSound(partition: number): boolean {
    return this.#heardSince?.has(partition) ?? true;
  }
}

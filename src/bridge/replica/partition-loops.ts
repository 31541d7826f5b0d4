import type { AbortableTimers } from "../ports.ts";
import { repeat } from "../repeat.ts";

/** A loop for each partition of the deployment, one beside the other. */
export class PartitionLoops {
  readonly #timers: AbortableTimers;
  readonly #round: (partition: number) => Promise<number>;
  readonly #stops = new Map<number, () => void>();
  #isStopped = false;

  /** @param round one run of a partition's loop; never rejects; returns the pause before the next one, ms */
  constructor(timers: AbortableTimers, round: (partition: number) => Promise<number>) {
    this.#timers = timers;
    this.#round = round;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Keeps a loop for each partition from 0 to `count` - 1, and none for another. */
  run(count: number): void {
    if (this.#isStopped) return;
    for (const [partition, stop] of this.#stops) {
      if (partition < count) continue;
      stop();
      this.#stops.delete(partition);
    }
    for (let partition = 0; partition < count; partition++) {
      if (this.#stops.has(partition)) continue;
      this.#stops.set(
        partition,
        repeat(this.#timers, 0, () => this.#round(partition)),
      );
    }
  }

  /** Ends all of them, for ever. */
  stop(): void {
    this.#isStopped = true;
    for (const stop of this.#stops.values()) stop();
  }
}

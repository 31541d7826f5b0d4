import type { Random } from "../../runtime/ports.ts";
import type { PollFault } from "./ports.ts";

/** Pause after the first poll that failed, ms; it doubles up to half a window. */
const FIRST_RETRY = 1_000;
/** Share of half a window by which polls come early, so that replicas do not ask together. */
const JITTER = 0.2;

/** How the last polls of each partition ended, and when the next one is due. */
export class PollSchedule {
  readonly #random: Random;
  readonly #window: () => number;
  readonly #ends = new Map<number, { readonly fault: PollFault | null; readonly failures: number }>();

  /** @param window the edge's window, ms */
  constructor(random: Random, window: () => number) {
    this.#random = random;
    this.#window = window;
  }

  /** @param fault null for a poll that was answered */
  note(partition: number, fault: PollFault | null): void {
    const failures = fault === null ? 0 : (this.#ends.get(partition)?.failures ?? 0) + 1;
    this.#ends.set(partition, { fault, failures });
  }

  /** How the last poll ended: null if it was answered, undefined if there was none. */
  fault(partition: number): PollFault | null | undefined {
    return this.#ends.get(partition)?.fault;
  }

  clear(): void {
    this.#ends.clear();
  }

  /** Pause after a poll that was answered. @param passed ms since it was sent */
  nextPause(passed: number): number {
    return Math.max(0, this.#halfWindow() * this.#jitter() - passed);
  }

  /** Pause after a poll that failed, ms. */
  retryPause(partition: number): number {
    const failures = this.#ends.get(partition)?.failures ?? 1;
    return Math.min(this.#halfWindow(), FIRST_RETRY * 2 ** (failures - 1)) * this.#jitter();
  }

  #halfWindow(): number {
    return this.#window() / 2;
  }

  /** Between 1 - JITTER and 1. */
  #jitter(): number {
    const [octet] = this.#random.bytes(1);
    return 1 - (JITTER * (octet as number)) / 256;
  }
}

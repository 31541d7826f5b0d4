import { type Hashing, partitionOf } from "../directory/index.ts";
import { LogView } from "./log-view.ts";

/** The views of all partitions' logs. */
export class LogViews {
  readonly #hashing: Hashing;
  readonly #views: readonly LogView[];

  /** @param window milliseconds for which an answer of a Registry confirms */
  constructor(hashing: Hashing, partitions: number, window: number) {
    this.#hashing = hashing;
    this.#views = Array.from({ length: partitions }, (_, partition) => new LogView(partition, window));
  }

  partitionOf(domain: string): number {
    return partitionOf(this.#hashing, domain, this.#views.length);
  }

  at(partition: number): LogView {
    return this.#views[partition] as LogView;
  }

  /** The view of the partition that a domain lives in. */
  of(domain: string): LogView {
    return this.at(this.partitionOf(domain));
  }

  /** Whether a Registry has reported a token as revoked. */
  isRevoked(tokenId: string): boolean {
    for (const view of this.#views) if (view.isRevoked(tokenId)) return true;
    return false;
  }
}

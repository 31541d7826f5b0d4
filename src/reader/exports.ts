import { KV_ROSTER, type Roster } from "../directory/index.ts";
import type { Clock } from "../runtime/ports.ts";
import type { KvReads } from "./kv-reads.ts";
import type { ReaderContext } from "./ports.ts";
import type { SingleFlight } from "./single-flight.ts";

/** From this age on KV's own roster is read again before a domain is called not served. Milliseconds. */
export const EXPORTS_MAX_AGE = 60_000;
/** If reading it fails for so long, nothing is known about exports. */
const EXPORTS_LIFE = 600_000;
const WORK = "exports";

/** Which domains are served by an offline export, as KV's own roster lists them. */
export class Exports {
  readonly #clock: Clock;
  readonly #reads: KvReads;
  readonly #flight: SingleFlight;
  #heads: ReadonlyMap<string, number> = new Map();
  /** Unix milliseconds. */
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, reads: KvReads, flight: SingleFlight) {
    this.#clock = clock;
    this.#reads = reads;
    this.#flight = flight;
  }

  includes(domain: string): boolean {
    return this.#heads.has(domain);
  }

  /** Milliseconds since the roster was read. */
  age(now: number): number {
    return now - this.#readAt;
  }

  isOld(now: number): boolean {
    return this.age(now) >= EXPORTS_MAX_AGE;
  }

  /** Whether it is known, as far as KV shows, which domains are exported. */
  isKnown(now: number): boolean {
    return this.age(now) <= EXPORTS_LIFE;
  }

  /** Reads the roster, unless another request does. @returns false if that failed just now */
  async load(context: ReaderContext): Promise<boolean> {
    await this.#flight.run(context, {
      name: WORK,
      run: async () => {
        const now = this.#clock.now();
        this.#take(await this.#reads.roster(context, KV_ROSTER), now);
      },
    });
    return !this.#flight.isPaused(WORK);
  }

  #take(roster: Roster | null, readAt: number): void {
    this.#heads = new Map(roster?.partition === KV_ROSTER ? Object.entries(roster.heads) : []);
    this.#readAt = readAt;
  }
}

/** Law 7: reads are bounded by what is served and by time, whatever clients ask for. */
import { FITTING } from "../../testing/limits.ts";
import type { JudgedIsolate } from "./answerer.ts";
import type { JudgeContext } from "./context.ts";
import { seconds } from "./pairs.ts";

export interface CostJudgeParts extends JudgeContext {
  readonly partitions: number;
  /** Domains that everybody asks about. */
  readonly domains: readonly string[];
  bitsOf(domain: string): number;
}

/** Unknown domains that an isolate reads before it has a roster, between refreshes. */
const COLD_LOADS = 16;

export class CostJudge {
  readonly #parts: CostJudgeParts;

  constructor(parts: CostJudgeParts) {
    this.#parts = parts;
  }

  judge(host: JudgedIsolate): void {
    // If the lists do not fit, the law says nothing.
    if (host.settings.cacheBytes < FITTING) return;
    const { tally, violation, now } = this.#parts;
    const bound = this.#bound(host);
    const reads = host.kvReads + host.questions;
    const share = reads * 4 > bound ? "over" : "under";
    tally.event(`law 7: ${share} a quarter of the bound`);
    if (reads <= bound) return;
    const life = seconds(now() - host.bornAt);
    violation("law 7", `${host.name} read ${reads} times in ${life}, bound ${Math.round(bound)}`);
  }

  #bound(host: JudgedIsolate): number {
    const { model, partitions, domains, bitsOf, now } = this.#parts;
    const served = new Set([...domains, ...model.all.map(({ domain }) => domain)]);
    const windows = (now() - host.bornAt) / host.settings.window + 1;
    // A manifest, its blob of departures, and its shards, for each generation, once and once more.
    const published = model.all.reduce(
      (sum, { domain, generations }) => sum + generations.length * (3 + 2 ** bitsOf(domain)),
      0,
    );
    const busy = Math.min(windows, host.bursts * 4 + 4);
    const cold = COLD_LOADS * (busy * 2 + 2);
    return 60 + 2 * published + busy * (6 * partitions + 3 * served.size) + cold + 40 * host.hurts;
  }
}

/** Upper bounds, in seconds: from a cache hit to the longest timeout of a mail server. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5];

/** The observations with one label value. */
interface Series {
  /** Observations per bucket, and in the last place those above all buckets. Not cumulative. */
  readonly counts: number[];
  sum: number;
}

/**
 * A Prometheus histogram of durations with one label. Counts in plain fields: prom-client looks up its labels at each
 * observation, which costs as much as an answer.
 */
export class Durations {
  readonly #name: string;
  readonly #help: string;
  readonly #label: string;
  readonly #series = new Map<string, Series>();

  constructor(name: string, help: string, label: string) {
    this.#name = name;
    this.#help = help;
    this.#label = label;
  }

  observe(label: string, ms: number): void {
    let series = this.#series.get(label);
    if (series === undefined) {
      series = { counts: new Array<number>(BUCKETS.length + 1).fill(0), sum: 0 };
      this.#series.set(label, series);
    }
    const seconds = ms / 1000;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    series.counts[bucket] = (series.counts[bucket] as number) + 1;
    series.sum += seconds;
  }

  /** In the text format of Prometheus. */
  text(): string {
    const lines = [`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`];
    for (const [label, { counts, sum }] of this.#series) {
      const own = `${this.#label}="${label}"`;
      let total = 0;
      for (const [i, count] of counts.entries()) {
        total += count;
        lines.push(`${this.#name}_bucket{le="${BUCKETS[i] ?? "+Inf"}",${own}} ${total}`);
      }
      lines.push(`${this.#name}_sum{${own}} ${sum}`, `${this.#name}_count{${own}} ${total}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

/** What the benchmark says, before it is a table, a chart or JSON. */

/** What a measurement has to reach; both in its own unit. */
export interface Bar {
  readonly kind: "at least" | "at most";
  readonly value: number;
  /** Better than needed, and what is hoped for. */
  readonly aim?: number;
}

/** One figure. */
export interface Measurement {
  /** Stable, for whoever reads the JSON: `checks.post.hot`. */
  readonly id: string;
  /** For people: `POST, hot names, against bare`. */
  readonly what: string;
  /** Median, where there were rounds. */
  readonly value: number;
  /** `x` is a ratio of two figures of the same run. */
  readonly unit: "x" | "/s" | "ms" | "s" | "bytes" | "count";
  /** Of the rounds, where there was more than one. */
  readonly lowest?: number;
  readonly highest?: number;
  /** None where the figure is only shown. */
  readonly bar?: Bar;
  /** Figures behind this one: rates of both sides, bytes, counts. */
  readonly detail?: Readonly<Record<string, number>>;
}

/** How much is measured. */
export interface Extent {
  /** Less of everything: fewer rounds, shorter, smaller lists. The whole run stays under two minutes. */
  readonly isQuick: boolean;
  readonly rounds: number;
  /** Of one round, for one side. */
  readonly seconds: number;
}

/** Measurements that share a set-up. Each starts what it needs, and ends it. */
export interface Suite {
  readonly name: string;
  /** What it needs of the system and does not find, as names of Debian packages. */
  lacks(): readonly string[];
  /** @param tell a line for whoever waits */
  run(extent: Extent, tell: (line: string) => void): Promise<readonly Measurement[]>;
}

/** Whether a bar is met; true where there is none. */
export const isMet = ({ value, bar }: Measurement): boolean =>
  bar === undefined || (bar.kind === "at least" ? value >= bar.value : value <= bar.value);

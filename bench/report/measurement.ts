/** What the benchmark measures, before it is a table, a chart or JSON. */

/** What a measurement has to reach, in its own unit. */
export interface Bar {
  readonly kind: "at least" | "at most";
  readonly value: number;
  /** Better than required: the goal. */
  readonly aim?: number;
}

export const atLeast = (value: number, aim?: number): Bar => ({
  kind: "at least",
  value,
  ...(aim === undefined ? {} : { aim }),
});
export const atMost = (value: number): Bar => ({ kind: "at most", value });

/** The middle of several rounds, and their ends. */
export interface Spread {
  /** Median. */
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
}

/** One figure; the spread's ends are there if it was measured in rounds. */
export interface Measurement extends Partial<Spread> {
  /** Stable, for programs that read the JSON: `checks.post.hot`. */
  readonly id: string;
  /** For readers: `POST, hot names, against bare`. */
  readonly what: string;
  readonly value: number;
  /** `x` is a ratio of two figures of the same run. */
  readonly unit: "x" | "/s" | "µs" | "ms" | "s" | "bytes" | "count";
  /** None if the figure is for information. */
  readonly bar?: Bar;
  /** Figures behind this one: rates of both sides, bytes, counts. */
  readonly detail?: Readonly<Record<string, number>>;
}

/** How much is measured. */
export interface Extent {
  /** Fewer rounds, shorter, smaller lists. */
  readonly isQuick: boolean;
  readonly rounds: number;
  /** Of one round, for one side. */
  readonly seconds: number;
}

/** Reports progress to the terminal. */
export type Tell = (line: string) => void;

/** Measurements that share a set-up. Each starts what it needs, and ends it. */
export interface Suite {
  readonly name: string;
  /** Debian packages that it needs and does not find. */
  lacks?(): readonly string[];
  run(extent: Extent, tell: Tell): Promise<readonly Measurement[]>;
}

/** Whether a bar is met; true if there is none. */
export const isMet = ({ value, bar }: Measurement): boolean =>
  bar === undefined || (bar.kind === "at least" ? value >= bar.value : value <= bar.value);

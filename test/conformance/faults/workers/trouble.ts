/** What can be wrong with a Rollcall Worker that answers through a service binding. */

/** An operation of KV or of the Registry fails, or waits; the Registry can also have lost its storage. */
export type Away = "throws" | "silent" | "lost";

export interface Trouble {
  /** What the Worker does instead of its true answer: a name in answer-faults.ts. */
  readonly answer?: string;
  readonly registry?: Away;
  readonly kv?: Exclude<Away, "lost">;
  /** Variables and secrets in place of those of the deployment. Only an isolate that starts with them has them. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Which isolate answers. One that has not been named before has nothing in memory. */
  readonly isolate: string;
  /** Milliseconds by which the Worker's clock is ahead. */
  readonly ahead: number;
}

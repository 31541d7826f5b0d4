import type { EntryState } from "../../directory/index.ts";
import { MAX_LINE } from "./lines.ts";

/** Takes what a source reads, line by line. Called millions of times, so in plain arguments. */
export interface SourceSink {
  /** An address as it stands in the list, and its state. `line` counts from 1. */
  entry(line: number, address: string, state: EntryState): void;
  /** A line that cannot be read. */
  fault(line: number, reason: string): void;
  /** Called now and then with the octets that were read so far. */
  progress?(octets: number): void;
}

export const OVERLONG = `longer than ${MAX_LINE} octets`;

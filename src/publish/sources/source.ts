import type { EntryState } from "../../directory/index.ts";

/** A place that mailbox lists come from: a file today; a directory service, a database or a URL later. */
export interface Source {
  /** The source as messages show it, such as `lists/example.txt`. */
  describe(): string;
  /**
   * Reads the whole list, entry by entry, without holding it in memory.
   * @param signal stops the read, which then rejects
   * @throws PublishError `input` if the source cannot be read; what is wrong with one line goes to the sink
   */
  read(sink: SourceSink, signal: AbortSignal): Promise<void>;
}

/** Receives what a source reads. Called millions of times, so it takes plain arguments. */
export interface SourceSink {
  /** An address as the source has it, and its state. `line` is the line or row number, counted from 1. */
  entry(line: number, address: string, state: EntryState): void;
  /** A line that cannot be read. */
  fault(line: number, reason: string): void;
  /** Called from time to time with the share that has been read, 0 to 1, if the source knows it. */
  progress?(done: number): void;
}

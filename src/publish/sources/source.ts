import type { EntryState } from "../../directory/index.ts";

/** A place that mailbox lists come from: a file, a directory service, a database, a program or a URL. */
export interface Source {
  /** The source as messages show it, such as `lists/example.txt`. */
  describe(): string;
  /**
   * Reads the whole list, entry by entry, without holding it in memory.
   * @param signal stops the read, which then rejects
   * @throws PublishError `input` if the source cannot be read to its end; what is wrong with one line goes to the sink
   */
  read(sink: SourceSink, signal: AbortSignal): Promise<void>;
  /** For a source that consists of several: which of them a line is from. Called after the list was read. */
  partOf?(line: number): SourcePart;
}

/** A line of a source that is part of another one. */
export interface SourcePart {
  readonly source: Source;
  /** The number of the line within that source. */
  readonly line: number;
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

/** Parses a list's bytes as they arrive. `progress` takes the octets read so far. */
export type ParseList = (
  chunks: AsyncIterable<Uint8Array>,
  sink: Pick<SourceSink, "entry" | "fault">,
  progress?: (octets: number) => void,
) => Promise<void>;

/** The source that has a line, and the number of the line there. */
export const partOf = (source: Source, line: number): SourcePart => source.partOf?.(line) ?? { source, line };

/** The place of a line, for messages. */
export function placeOf(source: Source, line: number): string {
  const part = partOf(source, line);
  return `${part.source.describe()}:${part.line}`;
}

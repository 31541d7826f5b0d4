import type { EntryState } from "../../directory/index.ts";

/** A place that mailbox lists come from: a file, a directory service, a database, a program or a URL. */
export interface Source {
  /** What rollcall.toml says of it; left out for a list that has no name there. */
  readonly identity?: SourceIdentity | undefined;
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

/** A source of rollcall.toml. */
export interface SourceIdentity {
  /** As messages show it, such as `source staff`. */
  readonly name: string;
  /** Fewest addresses that it must give, for all domains of rollcall.toml. */
  readonly minimum?: number | undefined;
  /** Most rows that it may leave out. */
  readonly maxLeftOut?: number | undefined;
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
  /** A row without a mailbox of this domain. `why` follows the word "rows"; null: of another domain of rollcall.toml. */
  leftOut?(line: number, why: string | null): void;
  /** For a source that consists of several: the next lines are of this one. */
  begin?(part: Source): void;
  /** Called from time to time with the share that has been read, 0 to 1, if the source knows it. */
  progress?(done: number): void;
}

/** Parses a list's bytes as they arrive. `progress` takes the octets read so far. */
export type ParseList = (
  chunks: AsyncIterable<Uint8Array>,
  sink: Pick<SourceSink, "entry" | "fault" | "leftOut">,
  progress?: (octets: number) => void,
) => Promise<void>;

/** The source that has a line, and the number of the line there. */
export const partOf = (source: Source, line: number): SourcePart => source.partOf?.(line) ?? { source, line };

/** The place of a line, for messages. */
export function placeOf(source: Source, line: number): string {
  const part = partOf(source, line);
  return `${part.source.describe()}:${part.line}`;
}

/** Why a row without an address is left out. */
export const NO_ADDRESS = "without an address";

import { createReadStream, statSync } from "node:fs";
import { PublishError } from "../errors.ts";
import type { Source, SourceSink } from "./source.ts";

/** Where a file is. */
export interface FilePlace {
  readonly path: string;
  /** The place as the user wrote it: for messages, and for kinds of source that are not files. */
  readonly shown: string;
}

/** Parses a file's bytes as they arrive. `progress` takes the octets read so far. */
export type ParseList = (
  chunks: AsyncIterable<Uint8Array>,
  sink: Pick<SourceSink, "entry" | "fault">,
  progress?: (octets: number) => void,
) => Promise<void>;

const CHUNK = 256 * 1024;

/** A source that streams a file through a parser. */
export const fileSource = ({ path, shown }: FilePlace, parse: ParseList): Source => ({
  describe: () => shown,
  async read(sink, signal) {
    try {
      const size = Math.max(1, statSync(path).size);
      const chunks = createReadStream(path, { highWaterMark: CHUNK, signal });
      await parse(chunks, sink, (octets) => sink.progress?.(Math.min(1, octets / size)));
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      throw new PublishError(
        "input",
        `${shown} cannot be read: ${(error as NodeJS.ErrnoException).code ?? error.message}`,
        "check the path of the list and its permissions",
      );
    }
  },
});

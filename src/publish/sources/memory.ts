import type { EntryState } from "../../directory/index.ts";
import type { Source } from "./source.ts";

/** An address, active unless it comes with another state. */
export type MemoryEntry = string | readonly [address: string, state: EntryState];

/** A list that the program has in memory already. */
export const memorySource = (name: string, entries: Iterable<MemoryEntry>): Source => ({
  describe: () => name,
  async read(sink, signal) {
    let line = 0;
    for (const entry of entries) {
      signal.throwIfAborted();
      const [address, state] = typeof entry === "string" ? [entry, "active" as const] : entry;
      sink.entry(++line, address, state);
    }
  },
});

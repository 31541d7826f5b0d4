import type { Source } from "./source.ts";

/**
 * Several sources as one list. Their lines are numbered through, and {@link Source.partOf} says which source a line
 * belongs to. If one source cannot be read, none is used.
 */
export function combineSources(sources: readonly Source[]): Source {
  const [only] = sources;
  if (only !== undefined && sources.length === 1) return only;
  /** The last line of each source that was read. */
  let ends: number[] = [];
  return {
    describe: () => sources.map((source) => source.describe()).join(" + "),
    async read(sink, signal) {
      ends = [];
      let last = 0;
      for (const [index, source] of sources.entries()) {
        const before = last;
        const place = (line: number): number => {
          last = Math.max(last, before + line);
          return before + line;
        };
        sink.begin?.(source);
        await source.read(
          {
            entry: (line, address, state) => sink.entry(place(line), address, state),
            fault: (line, reason) => sink.fault(place(line), reason),
            leftOut: (line, why) => sink.leftOut?.(place(line), why),
            progress: (done) => sink.progress?.((index + done) / sources.length),
          },
          signal,
        );
        ends.push(last);
      }
    },
    partOf(line) {
      const index = ends.findIndex((end) => line <= end);
      return { source: sources[index] as Source, line: line - (ends[index - 1] ?? 0) };
    },
  };
}

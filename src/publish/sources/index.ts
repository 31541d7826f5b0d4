import { extname } from "node:path";
import { readCsv } from "./csv.ts";
import { type FilePlace, fileSource } from "./file.ts";
import type { Source } from "./source.ts";
import { readText } from "./text.ts";

/** A kind of source. */
interface SourceKind {
  /** Whether this kind reads what is at `place`. */
  accepts(place: FilePlace): boolean;
  open(place: FilePlace): Source;
}

/** Every kind of source; the first that accepts a place opens it. A new kind adds its own file and a line here. */
const KINDS: readonly SourceKind[] = [
  {
    accepts: ({ path }) => extname(path).toLowerCase() === ".csv",
    open: (place) => fileSource(place, readCsv),
  },
  { accepts: () => true, open: (place) => fileSource(place, readText) },
];

/** The source for a list: CSV if its name ends in `.csv`, otherwise one address per line. Nothing is read yet. */
export function openSource(place: FilePlace): Source {
  return (KINDS.find((kind) => kind.accepts(place)) as SourceKind).open(place);
}

export { type MemoryEntry, memorySource } from "./memory.ts";
export type { Source, SourceSink } from "./source.ts";

import {
  type DomainKey,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  type Hashing,
  isAcceptedState,
  isPattern,
  listedName,
  MAX_PATTERNS,
  plural,
  tailOf,
} from "../directory/index.ts";
import { type CoveringRules, RefusedNames } from "./covered.ts";
import { EntryColumns } from "./entries.ts";
import { AGAIN, PublishError } from "./errors.ts";
import { type PackedList, type PackOptions, packList } from "./pack.ts";
import { type SourceCount, SourceTally } from "./source-counts.ts";
import { partOf, placeOf, type Source, type SourceSink } from "./sources/index.ts";

/** Malformed lines and duplicates that are reported one by one. The others are only counted. */
export const MAX_REPORTED = 100;

/** Remarks on lines; the first ones in full. */
export interface LineReport {
  readonly count: number;
  /** `FILE:LINE: reason` */
  readonly first: readonly string[];
}

/** Share of the work that is reading; the rest is packing. */
const READING = 0.8;

/** A list that was read and packed. */
export interface ReadList {
  readonly packed: PackedList;
  readonly duplicates: LineReport;
  /** Lines that were left out, with `skipInvalid`. */
  readonly skipped: LineReport;
  /** The names that it has as disabled or moved; undefined without a head. */
  readonly refused?: RefusedNames | undefined;
  /** What each source of rollcall.toml gave. */
  readonly sources: readonly SourceCount[];
  /** Names that several sources have in different states. The state that accepts mail is used, or else the first. */
  readonly conflicts: LineReport;
  /**
   * Positions, ascending, at which names with these tails first appear, counted from 0 in the order of `eachName`.
   * Keeps the entries in memory, 15 bytes each, for as long as it is referenced itself.
   */
  placesOf(tails: ReadonlySet<number>): number[];
}

export interface ReadOptions {
  readonly source: Source;
  readonly domain: string;
  readonly key: DomainKey;
  readonly policy: DomainPolicy;
  readonly hashing: Hashing;
  /** What the head accepts names by that it does not list. */
  readonly head?: CoveringRules | undefined;
  /** Leave out malformed lines instead of failing. */
  readonly skipInvalid?: boolean;
  /** Number of shards to use, and the number that the domain uses now: see {@link packList}. */
  readonly packing?: Pick<PackOptions, "bits" | "bitsInUse" | "more">;
  readonly signal?: AbortSignal | undefined;
  /** Called for each name, canonical, in the order of the list. */
  eachName?(name: string): void;
  /** @param done share of the work, 0 to 1 */
  progress?(done: number): void;
}

/**
 * Reads a list from its source, canonicalises it and packs it. Takes 15 bytes of memory per entry, plus the shards.
 * @throws PublishError `input` with every malformed line, up to {@link MAX_REPORTED}
 */
export async function readList(options: ReadOptions): Promise<ReadList> {
  const { source, domain, key, policy, hashing } = options;
  const entries = new EntryColumns();
  const patterns = new EntryColumns();
  const refused = options.head === undefined ? undefined : new RefusedNames(options.head);
  /** Tails of the patterns, by their names in the order of the list. */
  const tails = new Map<string, number>();
  const faults = new Report(source);
  const duplicates = new Report(source);
  const conflicts = new Report(source);
  let tally = new SourceTally(source);
  const tallies = [tally];
  const sink: SourceSink = {
    entry(line, address, state) {
      const name = listedName(address, domain, policy);
      if (name === null) return;
      if (typeof name !== "string") {
        faults.add(line, name.fault);
        return;
      }
      tally.given++;
      if (isAcceptedState(numberOf(state))) tally.accepting++;
      const digest = fingerprint(key.names, name);
      if (isPattern(name)) {
        patterns.add(digest, numberOf(state), line);
        tails.set(name, tailOf(digest));
        if (tails.size > MAX_PATTERNS) throw tooManyPatterns(source, line);
        return;
      }
      entries.add(digest, numberOf(state), line);
      if (!isAcceptedState(numberOf(state))) refused?.add(key, name, tailOf(digest));
      options.eachName?.(name);
    },
    fault: (line, reason) => faults.add(line, reason),
    leftOut: (_, why) => tally.leaveOut(why),
    begin(part) {
      tally = new SourceTally(part);
      tallies.push(tally);
    },
    progress: (done) => options.progress?.(READING * done),
  };
  await source.read(sink, options.signal ?? new AbortController().signal);
  // After all other names, so that these keep their places.
  for (const name of tails.keys()) options.eachName?.(name);
  const packed = packList(entries, hashing, {
    ...options.packing,
    patterns,
    progress: (done, of) => options.progress?.(READING + (1 - READING) * (done / of)),
    repetitions: {
      duplicate: (line, first) => duplicates.add(line, `same name as ${lineOf(source, line, first)}`),
      clash(line, first) {
        // Within one source, a contradiction is a mistake. Two sources may have been read at different times.
        const report = partOf(source, line).source === partOf(source, first).source ? faults : conflicts;
        report.add(line, `same name as ${lineOf(source, line, first)}, but in another state`);
      },
    },
  });
  if (faults.count > 0 && options.skipInvalid !== true)
    throw malformed(source.describe(), faults, entries.count + patterns.count);
  const placesOf = (wanted: ReadonlySet<number>): number[] => [
    ...placesIn(entries, wanted),
    ...[...tails.values()].flatMap((tail, i) => (wanted.has(tail) ? [entries.count + i] : [])),
  ];
  const sources = tallies.flatMap(({ count }) => count ?? []);
  return { packed, refused, duplicates, conflicts, skipped: faults, sources, placesOf };
}

/** A list has more patterns than a manifest holds. */
const tooManyPatterns = (source: Source, line: number): PublishError =>
  new PublishError(
    "input",
    `${placeOf(source, line)}: more than ${MAX_PATTERNS} patterns; nothing was published`,
    "use fewer and shorter patterns, or list the names themselves",
  );

/** Another line, as a message about `line` names it. */
function lineOf(source: Source, line: number, other: number): string {
  const part = partOf(source, other);
  return part.source === partOf(source, line).source ? `line ${part.line}` : placeOf(source, other);
}

function placesIn(entries: EntryColumns, tails: ReadonlySet<number>): number[] {
  const places: number[] = [];
  const met = new Set<number>();
  for (let i = 0; i < entries.count && met.size < tails.size; i++) {
    const tail = entries.tail(i);
    if (!tails.has(tail) || met.has(tail)) continue;
    met.add(tail);
    places.push(i);
  }
  return places;
}

/** Of all lines: with more that cannot be used, something is wrong with the file rather than with a line. */
const FEW = 0.2;

/** @param kept how many lines can be used */
function malformed(shown: string, faults: Report, kept: number): PublishError {
  const details = [...faults.first];
  if (faults.count > details.length) details.push(`and ${faults.count - details.length} more`);
  const all = faults.count + kept;
  const [these, them] = faults.count === 1 ? ["this line", "it"] : ["these lines", "them"];
  const hint =
    kept === 0
      ? `fix ${these}: nothing else of it can be used`
      : faults.count <= FEW * all
        ? `fix ${these}, or ${AGAIN} with --skip-invalid, which leaves ${them} out`
        : `correct what ${these} have in common: ${faults.count} of ${plural(all, "line")} are too many to leave out`;
  return new PublishError(
    "input",
    `${shown}: ${plural(faults.count, "line")} cannot be used; nothing was published`,
    hint,
    details,
  );
}

const numberOf = (state: EntryState): number => ENTRY_STATES.indexOf(state);

/** Keeps the first lines of the list, whatever the order in which they are added: clashes are found last. */
class Report implements LineReport {
  count = 0;
  readonly #source: Source;
  readonly #lines: { readonly line: number; readonly reason: string }[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  get first(): readonly string[] {
    return this.#lines.map(({ line, reason }) => `${placeOf(this.#source, line)}: ${reason}`);
  }

  add(line: number, reason: string): void {
    this.count++;
    const lines = this.#lines;
    let at = lines.length;
    while (at > 0 && (lines[at - 1] as { line: number }).line > line) at--;
    if (at === MAX_REPORTED) return;
    lines.splice(at, 0, { line, reason });
    if (lines.length > MAX_REPORTED) lines.pop();
  }
}

/**
 * What each source of a list gives, beside what it gave last. The guard compares whole lists, so it does not see that a small
 * source of several ends, nor that a few names move into rows which the source leaves out.
 */
import type { Source } from "./sources/index.ts";

/** What a source gave for one domain. */
export interface SourceCount {
  /** As messages show it. */
  readonly name: string;
  /** Names that accept mail. */
  readonly accepting: number;
  /** Addresses in whatever state. */
  readonly given: number;
  /** Addresses of other domains of rollcall.toml. */
  readonly elsewhere: number;
  /** Rows that it left out for other reasons. */
  readonly leftOut: number;
  /** The most frequent of these reasons, and how many rows each. */
  readonly reasons: readonly (readonly [why: string, rows: number])[];
  /** What it is not, and rollcall.toml expects: one sentence each. */
  readonly unmet: readonly string[];
}

/** What the host knows of a source's last time. */
export interface LastCount {
  readonly accepting: number;
  readonly left_out: number;
  /** The most that it gave within {@link REMEMBERED} ms, so that many small steps are one. */
  readonly most: number;
  /** Until when it gave that, Unix milliseconds. */
  readonly most_at: number;
}

export type LastCounts = Readonly<Record<string, LastCount>>;

/** What is known at a time: what a source gave more than a day ago counts no longer, but for the last time. */
export const countsAt = (counts: LastCounts, now: number): LastCounts =>
  Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [
      name,
      now - count.most_at < REMEMBERED ? count : { ...count, most: count.accepting },
    ]),
  );

/** What the last publish took from the sources of a domain. */
export interface LastSources {
  readonly counts: LastCounts;
  /** The generation that was the head then; null if that was another edge's. */
  readonly generation: number | null;
}

/** The sources of a list that was read, and what they gave last; null if this host does not know. */
export interface ReadSources {
  readonly counts: readonly SourceCount[];
  readonly last: LastSources | null;
}

const REMEMBERED = 24 * 3_600_000;
/** Reasons that are told apart, and those that are shown. */
const MOST_REASONS = 1_000;
const SHOWN_REASONS = 5;
/** Names that may always move into rows that are left out, and the part of the guard's share that may. */
const FEW_MOVED = 2;
const PART_MOVED = 1 / 4;

/** Counts what one source gives. */
export class SourceTally {
  accepting = 0;
  given = 0;
  #elsewhere = 0;
  #leftOut = 0;
  readonly #reasons = new Map<string, number>();
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  /** @param why null: the row belongs to another domain of rollcall.toml */
  leaveOut(why: string | null): void {
    if (why === null) {
      this.#elsewhere++;
      return;
    }
    this.#leftOut++;
    const before = this.#reasons.get(why);
    if (before !== undefined || this.#reasons.size < MOST_REASONS) this.#reasons.set(why, (before ?? 0) + 1);
  }

  /** Null for a source that has no name. */
  get count(): SourceCount | null {
    const { identity } = this.#source;
    if (identity === undefined) return null;
    const { name, minimum = 0, maxLeftOut = Infinity } = identity;
    const reasons = [...this.#reasons].sort(([, a], [, b]) => b - a).slice(0, SHOWN_REASONS);
    const listed = this.given + this.#elsewhere;
    const unmet: string[] = [];
    if (listed < minimum) unmet.push(`${name} gives ${listed} addresses, and its minimum is ${minimum}`);
    if (this.#leftOut > maxLeftOut) {
      unmet.push(
        `${name} leaves out ${this.#leftOut} rows (${inWords(reasons)}), and its max_left_out is ${maxLeftOut}`,
      );
    }
    const { accepting, given } = this;
    return { name, accepting, given, elsewhere: this.#elsewhere, leftOut: this.#leftOut, reasons, unmet };
  }
}

/** Such as "15 of exmaple.com, 3 without an address". */
export const inWords = (reasons: SourceCount["reasons"]): string =>
  reasons.map(([why, rows]) => `${rows} ${why}`).join(", ");

/**
 * Which sources give less than they gave last: a sentence each.
 * @param share the guard's
 * @param head the generation of the head if it is this very list, else null: then the list of a newer generation was published
 * by a person elsewhere, and what the sources give is right
 */
export function shrunkSources(
  sources: ReadSources | undefined,
  share: number,
  head: number | null,
): readonly string[] {
  const { counts, last } = sources ?? { counts: [], last: null };
  if (last === null || (head !== null && head !== last.generation)) return [];
  // Of a list with one source, the guard compares each name.
  const isOneOfSeveral = Object.keys(last.counts).length > 1;
  return counts.flatMap((count) => {
    const before = Object.hasOwn(last.counts, count.name) ? last.counts[count.name] : undefined;
    if (before === undefined) return [];
    const shrunk = isOneOfSeveral ? shrunkText(count, before, share) : null;
    const moved = shrunk === null ? movedText(count, before, share) : null;
    return [shrunk, moved].filter((text) => text !== null);
  });
}

/** As for the guard, one name may always go, unless it is the last. */
const isTooMuch = (gone: number, of: number, share: number): boolean =>
  (gone > 0 && gone === of) || (gone > 1 && gone > share * of + 1e-9);

function shrunkText({ name, accepting }: SourceCount, last: LastCount, share: number): string | null {
  const { most } = last;
  if (!isTooMuch(most - accepting, most, share)) return null;
  const gave = `it gave ${most} ${most === last.accepting ? "last" : "within the last day"}`;
  if (accepting === 0) return `${name} gives no name that accepts mail; ${gave}`;
  const percent = ((100 * (most - accepting)) / most).toFixed(1);
  return `${name} gives ${accepting} names that accept mail; ${gave} (${percent} % less), and at most ${Number((100 * share).toFixed(6))} % may go at one time`;
}

/** Names that go while as many rows are left out have probably moved there. */
function movedText(count: SourceCount, before: LastCount, share: number): string | null {
  const gone = before.accepting - count.accepting;
  const more = count.leftOut - before.left_out;
  const moved = Math.min(gone, more);
  if (moved <= FEW_MOVED || moved <= PART_MOVED * share * before.accepting + 1e-9) return null;
  return `${count.name} gives ${gone} names that accept mail less than last, and leaves out ${more} more rows: ${inWords(count.reasons)}`;
}

/**
 * What to remember after a publish.
 * @param last what is known now
 * @param share the guard's, with which the publish was judged
 */
export const countsAfter = (
  last: LastCounts,
  counts: readonly SourceCount[],
  share: number,
  now: number,
): LastCounts =>
  Object.fromEntries(
    counts.map(({ name, accepting, leftOut }): [string, LastCount] => {
      const before = Object.hasOwn(last, name) ? last[name] : undefined;
      // What is too little was published because a person said so.
      const isStillMost =
        before !== undefined &&
        before.most > accepting &&
        !isTooMuch(before.most - accepting, before.most, share);
      if (!isStillMost) return [name, { accepting, left_out: leftOut, most: accepting, most_at: now }];
      // What it gave last it gave until now.
      const most_at = before.most === before.accepting ? now : before.most_at;
      return [name, { accepting, left_out: leftOut, most: before.most, most_at }];
    }),
  );

/** Distinct names that left and were asked for in the last day, by domain and group: what the brake judges. */
import type { Asked } from "../../api/index.ts";
import {
  fromBase64Url,
  groupIn,
  mergePackedSketch,
  newSketch,
  packSketch,
  type Sketch,
  toBase64Url,
} from "../../directory/index.ts";
import type { Clock } from "../../runtime/ports.ts";
import { groupsOf } from "../generations/summaries.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import { replace } from "../storage/rows.ts";
import { DaySketch, hourOf } from "./day-sketch.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
/** Characters of one row; the platform allows 2 MB. Rows of one minute: what has no room counts until a restart. */
const ROW_LENGTH = 512 * 1024;
const MOST_ROWS = 16;
/** Characters of older rows that are read before a row is written: a Registry that starts answers meanwhile. */
const READ_AT_ONCE = 1024 * 1024;
/** Ranks that are remembered of all domains, of eight octets. Past that, the domains with the most of them begin again. */
const MOST_RANKS = 2_000_000;
/** To so many: to find those domains takes a look at all of them, and must not be needed every minute. */
const ROOM_IS_MADE = MOST_RANKS - MOST_RANKS / 16;

/** Distinct names of one domain that were asked for in the last day, by group. */
export type AskedLeavers = ReadonlyMap<number, Sketch>;

type ByGroup<T> = Map<number, T>;
/** One line of a row. */
type Line = readonly [domain: string, group: number, packed: string];

/**
 * Adds up what readers counted. Once a minute, what is new goes into rows, from which a Registry that starts knows the
 * day. Each domain has its own room: only groups that exist are counted.
 */
export class LeaverCounts {
  readonly #storage: RegistryStorage;
  readonly #clock: Clock;
  #unwritten = new Map<string, ByGroup<Sketch>>();
  #day: Map<string, ByGroup<DaySketch>> | null = null;
  /** Rows of the day that were written before this object began, and are not read yet. */
  #unread: SqlRow[] | null = null;
  #ranks = 0;
  #hour = 0;

  constructor(storage: RegistryStorage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** @throws what the storage throws */
  add(asked: readonly Asked[]): void {
    const domains = groupsOf(this.#storage, [...new Set(asked.map(([domain]) => domain))]);
    for (const [domain, number, text] of asked) {
      const groups = domains.get(domain);
      const group = groups === undefined ? null : groupIn(groups, number);
      if (group !== null) this.#add(domain, group, text);
    }
  }

  #add(domain: string, group: number, text: string): void {
    const own = this.#unwritten.get(domain) ?? new Map<number, Sketch>();
    const sketch = own.get(group) ?? newSketch();
    try {
      mergePackedSketch(sketch, fromBase64Url(text));
    } catch {
      // Another release's format is dropped.
      return;
    }
    this.#unwritten.set(domain, own.set(group, sketch));
  }

  get isEmpty(): boolean {
    return this.#unwritten.size === 0;
  }

  /**
   * Writes what was counted since the last row.
   * @returns the day of each domain in which something was
   * @throws what `damaged` does not catch
   */
  write(damaged: (error: unknown) => void): ReadonlyMap<string, AskedLeavers> {
    const now = this.#clock.now();
    const counted = this.#unwritten;
    this.#unwritten = new Map();
    const day = this.#load(now, damaged);
    const lines: Line[] = [];
    for (const [domain, groups] of counted) {
      for (const [group, sketch] of groups) {
        const news = this.#count(day, domain, group, packSketch(sketch), now);
        if (news.length > 0) lines.push([domain, group, toBase64Url(news)]);
      }
    }
    this.#writeRows(Math.floor(now / MINUTE), lines);
    this.#forget(day, now);
    const hour = hourOf(now);
    return new Map(
      [...counted.keys()].map((domain) => {
        const groups = [...(day.get(domain) ?? [])];
        return [domain, new Map(groups.map(([group, sketch]) => [group, sketch.at(hour)]))];
      }),
    );
  }

  #count(
    day: Map<string, ByGroup<DaySketch>>,
    domain: string,
    group: number,
    packed: Uint8Array,
    now: number,
  ): Uint8Array {
    const own = day.get(domain) ?? new Map<number, DaySketch>();
    const sketch = own.get(group) ?? new DaySketch();
    day.set(domain, own.set(group, sketch));
    const before = sketch.size;
    const news = sketch.add(packed, hourOf(now));
    this.#ranks += sketch.size - before;
    return news;
  }

  /** What was written before this object began: with each row a part of it, the newest first. */
  #load(now: number, damaged: (error: unknown) => void): Map<string, ByGroup<DaySketch>> {
    const day = this.#day ?? new Map<string, ByGroup<DaySketch>>();
    this.#day = day;
    this.#unread ??= this.#storage.sql(
      "SELECT minute, part FROM asked_leavers WHERE minute > ? ORDER BY minute, part",
      Math.floor((now - DAY) / MINUTE),
    );
    for (let room = READ_AT_ONCE; room > 0; ) {
      const row = this.#unread.pop();
      if (row === undefined) break;
      room -= this.#readRow(row.minute as number, row.part as number, day, damaged);
    }
    return day;
  }

  /** @returns how long the row is */
  #readRow(
    minute: number,
    part: number,
    day: Map<string, ByGroup<DaySketch>>,
    damaged: (error: unknown) => void,
  ): number {
    const where = "FROM asked_leavers WHERE minute = ? AND part = ?";
    const text = this.#storage.sql(`SELECT packed ${where}`, minute, part)[0]?.packed as string | undefined;
    if (text === undefined) return 0;
    try {
      for (const [domain, group, ranks] of JSON.parse(text) as Line[]) {
        const packed = fromBase64Url(ranks);
        mergePackedSketch(newSketch(), packed);
        this.#count(day, domain, group, packed, minute * MINUTE);
      }
    } catch (error) {
      this.#storage.sql(`DELETE ${where}`, minute, part);
      damaged(error);
    }
    return text.length;
  }

  #writeRows(minute: number, lines: readonly Line[]): void {
    let part: Line[] = [];
    let [length, parts] = [0, 0];
    const write = (): void => {
      if (part.length > 0 && parts < MOST_ROWS) {
        replace(this.#storage, "asked_leavers", { minute, part: parts++, packed: JSON.stringify(part) });
      }
      part = [];
      length = 0;
    };
    for (const line of lines) {
      length += JSON.stringify(line).length + 1;
      part.push(line);
      if (length > ROW_LENGTH) write();
    }
    write();
  }

  #forget(day: Map<string, ByGroup<DaySketch>>, now: number): void {
    const hour = hourOf(now);
    if (hour !== this.#hour) {
      this.#hour = hour;
      this.#storage.sql("DELETE FROM asked_leavers WHERE minute <= ?", Math.floor((now - DAY) / MINUTE));
      for (const domain of day.keys()) this.#forgetIn(day, domain, hour);
    }
    if (this.#ranks > MOST_RANKS) this.#makeRoom(day);
  }

  #makeRoom(day: Map<string, ByGroup<DaySketch>>): void {
    const sizes = [...day].map(([domain, groups]) => {
      let size = 0;
      for (const sketch of groups.values()) size += sketch.size;
      return { domain, size };
    });
    sizes.sort((a, b) => b.size - a.size);
    for (const { domain, size } of sizes) {
      if (this.#ranks <= ROOM_IS_MADE) return;
      this.#ranks -= size;
      day.delete(domain);
    }
  }

  #forgetIn(day: Map<string, ByGroup<DaySketch>>, domain: string, hour: number): void {
    const groups = day.get(domain) ?? new Map<number, DaySketch>();
    for (const [group, sketch] of groups) {
      const before = sketch.size;
      sketch.forget(hour);
      this.#ranks += sketch.size - before;
      if (sketch.size === 0) groups.delete(group);
    }
    if (groups.size === 0) day.delete(domain);
  }
}

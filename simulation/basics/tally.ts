/** What was seen, in numbers, over one world or many. */
import { isWorse, WINDOWS, type WindowKind, type Worst } from "./windows.ts";

const COUNTS = [
  "worlds",
  "checks",
  "overHttp",
  "overBridge",
  "overReplica",
  "isolates",
  "replicas",
  "commits",
] as const;
const TABLES = ["verdicts", "faults", "events"] as const;

/** A tally as JSON: what a run writes, and the documents are made of. */
export type TallyRecord = Record<(typeof COUNTS)[number], number> &
  Record<(typeof TABLES)[number], Record<string, number>> & { windows: Partial<Record<WindowKind, Worst>> };

export class Tally {
  worlds = 0;
  checks = 0;
  overHttp = 0;
  overBridge = 0;
  overReplica = 0;
  isolates = 0;
  replicas = 0;
  commits = 0;
  readonly verdicts = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly events = new Map<string, number>();
  readonly windows = new Map<WindowKind, Worst>();

  verdict(name: string): void {
    count(this.verdicts, name, 1);
  }

  fault(kind: string): void {
    count(this.faults, kind, 1);
  }

  event(name: string): void {
    count(this.events, name, 1);
  }

  /** @param bound that it had to keep, null if no number bounds it by itself */
  window(kind: WindowKind, age: number, bound: number | null = null): void {
    const worst = { age, bound };
    const last = this.windows.get(kind);
    if (last === undefined || isWorse(worst, last)) this.windows.set(kind, worst);
  }

  /** Adds another one to this. */
  add(other: Tally): void {
    for (const name of COUNTS) this[name] += other[name];
    for (const name of TABLES) for (const [key, n] of other[name]) count(this[name], key, n);
    for (const [kind, { age, bound }] of other.windows) this.window(kind, age, bound);
  }

  record(): TallyRecord {
    const tables = TABLES.map((name) => [name, Object.fromEntries([...this[name]].sort(byName))]);
    return {
      ...Object.fromEntries([...COUNTS.map((name) => [name, this[name]]), ...tables]),
      windows: Object.fromEntries(this.windows),
    } as TallyRecord;
  }

  static from(record: TallyRecord): Tally {
    const tally = new Tally();
    for (const name of COUNTS) tally[name] = record[name];
    for (const name of TABLES) for (const [key, n] of Object.entries(record[name])) tally[name].set(key, n);
    for (const kind of Object.keys(WINDOWS) as WindowKind[]) {
      const worst = record.windows[kind];
      if (worst !== undefined) tally.windows.set(kind, worst);
    }
    return tally;
  }
}

const byName = ([a]: [string, number], [b]: [string, number]): number => (a < b ? -1 : 1);

function count(map: Map<string, number>, key: string, n: number): void {
  map.set(key, (map.get(key) ?? 0) + n);
}

/** What was seen, in numbers, over one world or many. */

/** Largest age that was seen of an answer of each kind, milliseconds. */
export const WINDOWS = [
  "refusal",
  "not-served",
  "accept, confirmed",
  "accept, unconfirmed, after the copy to KV",
  "accept, Registry away",
  "export, refusal and accept",
  "bridge: refusal",
  "bridge: accept",
  "bridge: accept under grace",
  "bridge: export",
  "KV equals the heads, after faults",
  "every isolate at the heads, after faults",
] as const;
export type WindowKind = (typeof WINDOWS)[number];

export class Tally {
  worlds = 0;
  checks = 0;
  overHttp = 0;
  overBridge = 0;
  isolates = 0;
  commits = 0;
  readonly verdicts = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly events = new Map<string, number>();
  readonly windows = new Map<WindowKind, number>();

  verdict(name: string): void {
    count(this.verdicts, name, 1);
  }

  fault(kind: string): void {
    count(this.faults, kind, 1);
  }

  event(name: string): void {
    count(this.events, name, 1);
  }

  window(kind: WindowKind, age: number): void {
    if (age > (this.windows.get(kind) ?? -1)) this.windows.set(kind, age);
  }

  /** Adds another one to this. */
  add(other: Tally): void {
    this.worlds += other.worlds;
    this.checks += other.checks;
    this.overHttp += other.overHttp;
    this.overBridge += other.overBridge;
    this.isolates += other.isolates;
    this.commits += other.commits;
    for (const name of ["verdicts", "faults", "events"] as const) {
      for (const [key, n] of other[name]) count(this[name], key, n);
    }
    for (const [kind, age] of other.windows) this.window(kind, age);
  }
}

function count(map: Map<string, number>, key: string, n: number): void {
  map.set(key, (map.get(key) ?? 0) + n);
}

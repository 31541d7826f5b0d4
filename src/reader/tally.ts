import type { Asked, Count, FaultKind } from "../api/index.ts";
import {
  type Answer,
  addToSketch,
  newSketch,
  packSketch,
  type Sketch,
  toBase64Url,
  VERDICTS,
} from "../directory/index.ts";
import type { AskedName } from "./ports.ts";

/** Domains and faults that are counted separately between two questions. The rest is counted together. */
const MAX_DOMAINS = 64;
const MAX_FAULTS = 64;
/** Sketches of distinct names that left, and of those that enforce mode would refuse. The rest is not counted. */
const MAX_SKETCHES = 64;
const COUNTED_MODES = ["enforce", "", "observe", "defer"] as const;
const WORDS = Object.keys(VERDICTS);
/** Index of a verdict's counts: one for each mode. */
const PLACE: Readonly<Record<string, number>> = Object.fromEntries(
  WORDS.map((verdict, i) => [verdict, i * COUNTED_MODES.length]),
);

/**
 * What an isolate, or a replica, counts between two questions to its Registry, which take the counts along: lossy,
 * bounded, and without recipients. Counting an answer costs a lookup in a small table and an increment.
 */
export class Tally {
  #domains = new Map<string, number[]>();
  #faults = new Map<string, [domain: string, kind: FaultKind, count: number]>();
  /** Those of names that left, then the others: neither takes the room of the other. */
  #sketches: readonly Map<string, Sketch>[] = [new Map(), new Map()];

  /** @param domain one that is served here; null for all others, which a client may invent */
  countAnswer({ verdict, mode }: Answer, domain: string | null): void {
    const counts = this.#domains.get(domain ?? "") ?? this.#begin(domain ?? "");
    const place = (PLACE[verdict] as number) + COUNTED_MODES.indexOf(mode ?? "");
    counts[place] = (counts[place] as number) + 1;
  }

  countFault(kind: FaultKind, domain: string | null): void {
    const name = `${kind} ${domain ?? ""}`;
    const known = this.#faults.get(name);
    if (known !== undefined) known[2]++;
    else if (domain === null || this.#faults.size < MAX_FAULTS)
      this.#faults.set(name, [domain ?? "", kind, 1]);
    else this.countFault(kind, null);
  }

  countNames(names: readonly AskedName[] = []): void {
    for (const { domain, until, name } of names) {
      const sketches = this.#sketches[until > 0 ? 0 : 1] as Map<string, Sketch>;
      const key = `${domain} ${until}`;
      const sketch = sketches.get(key) ?? newSketch();
      if (sketches.size < MAX_SKETCHES) sketches.set(key, sketch);
      addToSketch(sketch, name);
    }
  }

  /** All counts, and resets them; undefined if there are none. */
  take(): readonly Count[] | undefined {
    if (this.#domains.size === 0 && this.#faults.size === 0) return undefined;
    const taken: Count[] = [...this.#faults.values()].map(([domain, kind, n]) => [domain, "fault", kind, n]);
    for (const [domain, counts] of this.#domains) {
      counts.forEach((n, i) => {
        if (n === 0) return;
        const word = WORDS[Math.floor(i / COUNTED_MODES.length)] as string;
        taken.push([domain, COUNTED_MODES[i % COUNTED_MODES.length] as string, word, n]);
      });
    }
    this.#domains = new Map();
    this.#faults = new Map();
    return taken;
  }

  /** All sketches of distinct names, and forgets them; undefined if there are none. */
  takeAsked(): readonly Asked[] | undefined {
    const taken = this.#sketches.flatMap((sketches) => [...sketches]);
    if (taken.length === 0) return undefined;
    this.#sketches = [new Map(), new Map()];
    return taken.map(([key, sketch]) => {
      const [domain, until] = key.split(" ") as [string, string];
      return [domain, Number(until), toBase64Url(packSketch(sketch))];
    });
  }

  #begin(domain: string): number[] {
    if (domain !== "" && this.#domains.size >= MAX_DOMAINS) return this.#domains.get("") ?? this.#begin("");
    const counts = new Array<number>(WORDS.length * COUNTED_MODES.length).fill(0);
    this.#domains.set(domain, counts);
    return counts;
  }
}

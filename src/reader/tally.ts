import type { Count, FaultKind } from "../api/index.ts";
import { type Answer, VERDICTS } from "../directory/index.ts";

/** Domains and faults that are counted separately between two questions. The rest is counted together. */
const MAX_DOMAINS = 64;
const MAX_FAULTS = 64;
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

  #begin(domain: string): number[] {
    if (domain !== "" && this.#domains.size >= MAX_DOMAINS) return this.#domains.get("") ?? this.#begin("");
    const counts = new Array<number>(WORDS.length * COUNTED_MODES.length).fill(0);
    this.#domains.set(domain, counts);
    return counts;
  }
}

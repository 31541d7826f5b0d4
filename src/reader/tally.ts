import { type Asked, type Count, type FaultKind, MAX_ASKED, MAX_ASKED_TEXT } from "../api/index.ts";
import { type Answer, VERDICTS } from "../directory/index.ts";
import type { AskedName } from "./ports.ts";
import { Sketches } from "./sketches.ts";

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
  /** Distinct names that left, and that enforce mode would refuse: neither take the room of the others. */
  readonly #left = new Sketches();
  readonly #refused = new Sketches();

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
    for (const name of names) (name.group > 0 ? this.#left : this.#refused).add(name);
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

  /**
   * Sketches of distinct names for one question, and forgets them; undefined if there are none. What has no room waits
   * for the next one.
   * @param isWanted whether the Registry that is asked has the list of a domain
   */
  takeAsked(isWanted: (domain: string) => boolean = () => true): readonly Asked[] | undefined {
    const room = { lines: MAX_ASKED, characters: MAX_ASKED_TEXT };
    const taken = [...this.#left.take(isWanted, room), ...this.#refused.take(isWanted, room)];
    return taken.length === 0 ? undefined : taken;
  }

  #begin(domain: string): number[] {
    if (domain !== "" && this.#domains.size >= MAX_DOMAINS) return this.#domains.get("") ?? this.#begin("");
    const counts = new Array<number>(WORDS.length * COUNTED_MODES.length).fill(0);
    this.#domains.set(domain, counts);
    return counts;
  }
}

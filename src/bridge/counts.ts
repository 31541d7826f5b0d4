import { type Answer, VERDICTS } from "../directory/index.ts";
import { PROTOCOL_NAMES, type ProtocolName, type Said } from "./protocols/protocol.ts";
import type { Resolution, Source } from "./resolver.ts";

const ACTIONS = ["accept", "reject", "defer", "none"] as const;
const MODES = ["enforce", "observe", "none"] as const;
const SOURCES = ["edge", "cache", "grace", "local", "none"] as const satisfies readonly Source[];

type ActionLabel = (typeof ACTIONS)[number];
type ModeLabel = (typeof MODES)[number];
type ByVerdict = { [verdict: string]: number };
type ByAction = Readonly<Record<ActionLabel, ByVerdict>>;
type ByMode = Readonly<Record<ModeLabel, ByAction>>;
type BySource = Readonly<Record<Source, ByMode>>;

/** Labels of one count. */
export interface LookupLabels {
  readonly protocol: ProtocolName;
  readonly verdict: string;
  readonly action: ActionLabel;
  readonly mode: ModeLabel;
  readonly source: Source;
}

/** Counts answers in plain fields: finding a counter by its labels costs as much as an answer. */
export class LookupCounts {
  readonly #counts = each(
    PROTOCOL_NAMES,
    (): BySource => each(SOURCES, () => each(MODES, () => each(ACTIONS, (): ByVerdict => ({})))),
  );

  add(protocol: ProtocolName, said: Resolution | Said): void {
    const isWord = typeof said === "string";
    const sources = this.#counts[protocol];
    // What names nobody is deferred; what asks about nobody is left to whatever follows.
    const counts = isWord
      ? sources.local.none[said === "invalid" ? "defer" : "none"]
      : sources[said.source][modeOf(said.answer)][said.answer.action];
    const verdict = isWord ? said : wordOf(said.answer);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }

  /** Every count that is not 0. */
  *entries(): Generator<[labels: LookupLabels, count: number]> {
    for (const protocol of PROTOCOL_NAMES) {
      for (const source of SOURCES) {
        for (const mode of MODES) {
          for (const action of ACTIONS) {
            const counts = this.#counts[protocol][source][mode][action];
            for (const [verdict, count] of Object.entries(counts)) {
              yield [{ protocol, verdict, action, mode, source }, count];
            }
          }
        }
      }
    }
  }
}

/** A mode from the future is none that is known. */
const modeOf = ({ mode }: Answer): ModeLabel => (mode === "enforce" || mode === "observe" ? mode : "none");

const wordOf = ({ verdict }: Answer): string => (Object.hasOwn(VERDICTS, verdict) ? verdict : "other");

const each = <K extends string, T>(names: readonly K[], make: () => T): Readonly<Record<K, T>> =>
  Object.fromEntries(names.map((name) => [name, make()])) as Record<K, T>;

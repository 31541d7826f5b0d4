import { type Answer, isMode, MODES, VERDICTS } from "../../directory/index.ts";
import type { FoundBy, Resolution } from "../answers/resolution.ts";
import type { LocalVerdict } from "../protocols/protocol.ts";

const ACTIONS = ["accept", "reject", "defer", "none"] as const;
const MODE_LABELS = [...MODES, "none"] as const;
/** A table, so that the compiler notices a source that is not in it. */
const SOURCE_TABLE: Readonly<Record<FoundBy, true>> = {
  edge: true,
  cache: true,
  replica: true,
  grace: true,
  local: true,
  none: true,
};
const SOURCES = Object.keys(SOURCE_TABLE) as readonly FoundBy[];

type ActionLabel = (typeof ACTIONS)[number];
type ModeLabel = (typeof MODE_LABELS)[number];
type ByVerdict = { [verdict: string]: number };
type ByAction = Readonly<Record<ActionLabel, ByVerdict>>;
type ByMode = Readonly<Record<ModeLabel, ByAction>>;
type BySource = Readonly<Record<FoundBy, ByMode>>;

/** Labels of one count. */
export interface LookupLabels {
  readonly protocol: string;
  readonly verdict: string;
  readonly action: ActionLabel;
  readonly mode: ModeLabel;
  readonly source: FoundBy;
}

/** Counts answers in plain fields: finding a counter by its labels costs as much as an answer. */
export class LookupCounts {
  readonly #counts = new Map<string, BySource>();
  /** Refusals by verdict; deferrals by verdict, or by the reason for which there is none. */
  readonly refusals: ByVerdict = {};
  readonly deferrals: ByVerdict = {};

  add(protocol: string, result: Resolution | LocalVerdict): void {
    let sources = this.#counts.get(protocol);
    if (sources === undefined) {
      sources = each(SOURCES, () => each(MODE_LABELS, () => each(ACTIONS, (): ByVerdict => ({}))));
      this.#counts.set(protocol, sources);
    }
    const isLocal = typeof result === "string";
    // An invalid question is deferred; one without a recipient is left to the mail server's next restrictions.
    const counts = isLocal
      ? sources.local.none[result === "invalid" ? "defer" : "none"]
      : sources[result.source][modeOf(result.answer)][result.answer.action];
    const verdict = isLocal ? result : verdictOf(result.answer);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    this.#addReason(result, verdict);
  }

  #addReason(result: Resolution | LocalVerdict, verdict: string): void {
    const action = typeof result !== "string" ? result.answer.action : result === "invalid" ? "defer" : null;
    if (action !== "reject" && action !== "defer") return;
    const reason = (typeof result === "string" ? undefined : result.reason) ?? verdict;
    const counts = action === "reject" ? this.refusals : this.deferrals;
    counts[reason] = (counts[reason] ?? 0) + 1;
  }

  /** All counts that are not 0. */
  *entries(): Generator<[labels: LookupLabels, count: number]> {
    for (const [protocol, sources] of this.#counts) {
      for (const source of SOURCES) {
        for (const mode of MODE_LABELS) {
          for (const action of ACTIONS) {
            for (const [verdict, count] of Object.entries(sources[source][mode][action])) {
              yield [{ protocol, verdict, action, mode, source }, count];
            }
          }
        }
      }
    }
  }
}

/** A mode of a later release is unknown. */
const modeOf = ({ mode }: Answer): ModeLabel => (isMode(mode) ? mode : "none");

const verdictOf = ({ verdict }: Answer): string => (Object.hasOwn(VERDICTS, verdict) ? verdict : "other");

const each = <K extends string, T>(names: readonly K[], make: () => T): Readonly<Record<K, T>> =>
  Object.fromEntries(names.map((name) => [name, make()])) as Record<K, T>;

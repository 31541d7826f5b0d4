import { patternCount } from "../directory/index.ts";
import {
  type DomainPlan,
  inWords,
  type LineReport,
  type PatchedPlan,
  type PlannedList,
  type SourceCount,
} from "../publish/index.ts";
import { duration, type Output, plural } from "./output.ts";

/** Names to show; `--json` has up to a thousand. */
const SHOWN_NAMES = 20;
const SHOWN_LINES = 5;

/** Prints a plan. */
export function showPlan(
  output: Output,
  { plan, duplicates, skipped, conflicts, leaving, coming, changing }: PlannedList,
  { force, newKey }: { readonly force?: boolean; readonly newKey?: boolean } = {},
): void {
  const { bold, red, green, yellow } = output.colors;
  const row = (label: string, text: string): void => output.line(`  ${label.padEnd(11)}${text}`);
  const names = (label: string, shown: readonly string[], count: number): void => {
    for (const name of shown.slice(0, SHOWN_NAMES)) row(label, name);
    const more = count - Math.min(shown.length, SHOWN_NAMES);
    if (more > 0 && shown.length > 0) row(label, `and ${more} more`);
  };
  const lines = (label: string, { count, first }: LineReport, what: string): void => {
    if (count === 0) return;
    row(label, `${plural(count, "line")} ${what}`);
    for (const line of first.slice(0, SHOWN_LINES)) output.line(`    ${line}`);
    if (count > SHOWN_LINES) output.line(`    and ${count - SHOWN_LINES} more`);
  };
  const patchedRow = (patched: PatchedPlan): void => {
    const { added, removed, changed, decision, kept } = patched;
    if (added + removed + changed === 0) return;
    const what = `${added} added, ${removed} removed, ${changed} changed one by one, which the list does not reflect`;
    const end =
      decision === null ? red("keep or drop them?") : decision === "keep" ? "kept" : yellow("dropped");
    const stays =
      decision === "drop" && kept.length > 0 ? `; not ${plural(kept.length, "name")} refused with --now` : "";
    row("patched", `${what}: ${end}${stays}`);
  };
  output.line(`${bold(plan.domain)}  ${baseOf(plan)}, ${modeOf(plan)}`);
  const held = plan.base?.brake?.held ?? 0;
  if (held > 0)
    row("brake", red(`holds ${plural(held, "name")} that left: see \`rollcall brake ${plan.domain}\``));
  const counts = plan.sources?.counts ?? [];
  for (const { name, given, leftOut, reasons } of counts.length > 1 || plan.shrunk.length > 0
    ? counts
    : counts.filter((it) => it.leftOut > 0)) {
    const left = leftOut === 0 ? "" : `, and leaves out ${plural(leftOut, "row")}: ${inWords(reasons)}`;
    row("source", `${name} gives ${plural(given, "address", "addresses")}${left}`);
  }
  for (const each of plan.shrunk) row("refused", red(each));
  if (plan.unchanged) {
    output.line("  nothing to change");
  } else {
    const { active, disabled, full, moved } = plan.packed.counts;
    row("list", `${active} active, ${disabled} disabled, ${full} full, ${moved} moved`);
    row("changes", differenceOf(plan));
    const patterns = patternsOf(plan);
    if (patterns !== null) row("patterns", patterns);
    for (const { setting, from, to } of plan.changes) {
      row("policy", `${setting}: ${JSON.stringify(from)} becomes ${JSON.stringify(to)}`);
    }
    names("joins", coming, (plan.difference?.added ?? 0) + plan.patternChanges.added);
    const leavers = leaving.map(({ address, how }) =>
      how === "refused" ? `${address} (stays in the list, but will be refused)` : address,
    );
    names("leaves", leavers, plan.leaving.size);
    if (plan.patched !== null) patchedRow(plan.patched);
    names(
      "state",
      changing.map(({ address, from, to }) => `${address}: ${from} becomes ${to}`),
      changing.length,
    );
    const override = newKey ? "--new-key" : force ? "--force" : null;
    const refusal =
      override === null
        ? red(`refuses: it ${plan.refusal}`)
        : yellow(`overridden by ${override}: it ${plan.refusal}`);
    row("guard", plan.refusal === null ? green("passes") : refusal);
    for (const canary of plan.missingCanaries) row("canary", red(`${canary} is not in the list`));
    for (const each of plan.unmet) row("expected", red(each));
    for (const warning of plan.warnings) row("note", yellow(warning));
  }
  lines("duplicate", duplicates, "repeated, which is harmless");
  lines(
    "conflict",
    conflicts,
    "whose state differs between sources; a state that accepts mail is used, or else the first",
  );
  lines("malformed", skipped, "left out");
}

function baseOf({ base }: DomainPlan): string {
  if (base === null) return "new";
  return `generation ${base.generation}${base.deleted ? ", deleted" : ""}`;
}

/** The mode of a list, from its first line on: it decides what becomes of mail. */
function modeOf({ base, resultingMode: mode }: DomainPlan): string {
  const before = base === null || base.deleted ? mode : base.mode;
  return before === mode ? `in ${mode} mode` : `from ${before} to ${mode} mode`;
}

function differenceOf({ base, difference, resultingPolicy }: DomainPlan): string {
  if (difference === null) return "cannot be counted";
  const grace = Math.max(base?.policy.grace ?? 0, resultingPolicy.grace);
  const fate = grace === 0 ? "refused at once" : `deferred, and refused after ${duration(grace * 1000)}`;
  const lost =
    difference.lost === 0
      ? ""
      : `; ${plural(difference.lost, "name that is", "names that are")} accepted now would be ${fate}`;
  return `${difference.added} added, ${difference.removed} removed, ${difference.changed} changed${lost}`;
}

/** The patterns of a list and what changes of them, null if there are none. */
function patternsOf({ packed, patternChanges: { added, removed, changed } }: DomainPlan): string | null {
  const count = patternCount(packed.patterns);
  if (count + removed === 0) return null;
  return `${count} in the list; ${added} added, ${removed} removed, ${changed} changed`;
}

/** What changes of the patterns, behind what changes of the names; empty if nothing does. */
export const patternsInWords = ({ added, removed, changed }: DomainPlan["patternChanges"]): string =>
  added + removed + changed === 0
    ? ""
    : `; of the patterns ${added} added, ${removed} removed, ${changed} changed`;

/** A plan for `--json`. */
export function planJson({
  plan,
  duplicates,
  skipped,
  leaving,
  coming,
  changing,
}: PlannedList): Record<string, unknown> {
  return {
    domain: plan.domain,
    planned_against: plan.expect,
    unchanged: plan.unchanged,
    counts: plan.packed.counts,
    difference: plan.difference,
    patterns: { count: patternCount(plan.packed.patterns), ...plan.patternChanges },
    settings: plan.changes,
    mode: plan.resultingMode,
    guard: plan.refusal,
    sources: plan.sources?.counts.map(sourceJson) ?? null,
    shrunk: plan.shrunk,
    brake: plan.base?.brake ?? null,
    would_refuse: plan.base?.wouldRefuse ?? null,
    patched: plan.patched && patchedJson(plan.patched),
    missing_canaries: plan.missingCanaries,
    unmet: plan.unmet,
    warnings: plan.warnings,
    coming,
    leaving,
    changing,
    duplicates: { count: duplicates.count, lines: duplicates.first },
    skipped: { count: skipped.count, lines: skipped.first },
  };
}

const sourceJson = ({ name, accepting, given, elsewhere, leftOut, reasons }: SourceCount) => ({
  name,
  accepting,
  given,
  of_other_domains: elsewhere,
  left_out: leftOut,
  reasons: Object.fromEntries(reasons),
});

const patchedJson = ({ added, removed, changed, decision }: PatchedPlan) => ({
  added,
  removed,
  changed,
  decision,
});

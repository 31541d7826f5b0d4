import { quoteLocalPart } from "../directory/index.ts";
import {
  type DomainPlan,
  type KeptLists,
  type LineReport,
  type ListWriter,
  MAX_NAMED,
  type ReadList,
} from "../publish/index.ts";
import type { Output } from "./output.ts";
import { plural } from "./output.ts";

/** A plan and what was noticed while its list was read. */
export interface PlannedList {
  readonly plan: DomainPlan;
  readonly duplicates: LineReport;
  readonly skipped: LineReport;
  /** Addresses that leave or are refused from now on, as far as this host knows them. */
  readonly leaving: readonly { readonly address: string; readonly how: "removed" | "refused" }[];
  /** Addresses that the list has and the one before has not, as far as this host keeps names. */
  readonly coming: readonly string[];
}

/** Names that are shown to people; `--json` has up to a thousand. */
const SHOWN_NAMES = 20;
const SHOWN_LINES = 5;

/** Names who leaves, from the list that this host published last. */
export async function namesLeaving(
  kept: KeptLists | null,
  plan: DomainPlan,
  progress?: (done: number) => void,
): Promise<PlannedList["leaving"]> {
  const names = await kept?.namesOf(plan.domain, plan.key, plan.leaving, progress);
  return [...(names ?? [])].map(([tail, name]) => ({
    address: `${quoteLocalPart(name)}@${plan.domain}`,
    how: plan.leaving.get(tail) as "removed" | "refused",
  }));
}

/** Names who comes, from the list that was just read. */
export async function namesComing(
  written: ListWriter | null,
  list: ReadList,
  plan: DomainPlan,
  progress?: (done: number) => void,
): Promise<PlannedList["coming"]> {
  if (written === null || plan.unchanged) return [];
  const isNew = plan.base === null || plan.base.deleted;
  const places = isNew ? Array.from({ length: MAX_NAMED }, (_, i) => i) : list.placesOf(plan.coming);
  const names = await written.namesAt(places, progress);
  return names.map((name) => `${quoteLocalPart(name)}@${plan.domain}`);
}

/** Shows a plan to people. */
export function showPlan(output: Output, { plan, duplicates, skipped, leaving, coming }: PlannedList): void {
  const { bold, red, green, yellow } = output.colors;
  output.line(`${bold(plan.domain)}  ${from(plan)}`);
  if (plan.unchanged) {
    output.line("  nothing to change");
  } else {
    const { active, disabled, full, moved } = plan.packed.counts;
    output.line(`  list       ${active} active, ${disabled} disabled, ${full} full, ${moved} moved`);
    output.line(`  changes    ${differenceOf(plan)}`);
    for (const { setting, from: was, to } of plan.changes) {
      output.line(`  policy     ${setting}: ${JSON.stringify(was)} becomes ${JSON.stringify(to)}`);
    }
    for (const address of coming.slice(0, SHOWN_NAMES)) output.line(`  comes      ${address}`);
    const unnamedComing = (plan.difference?.added ?? 0) - Math.min(coming.length, SHOWN_NAMES);
    if (unnamedComing > 0 && coming.length > 0) output.line(`  comes      and ${unnamedComing} more`);
    for (const { address, how } of leaving.slice(0, SHOWN_NAMES)) {
      output.line(
        `  leaves     ${address}${how === "refused" ? " (stays in the list, and is refused)" : ""}`,
      );
    }
    const unnamed = gone(plan) - Math.min(leaving.length, SHOWN_NAMES);
    if (unnamed > 0 && leaving.length > 0) output.line(`  leaves     and ${unnamed} more`);
    output.line(
      `  guard      ${plan.refusal === null ? green("passes") : red(`refuses: it ${plan.refusal}`)}`,
    );
    for (const canary of plan.missingCanaries)
      output.line(`  canary     ${red(`${canary} is not in the list`)}`);
    for (const warning of plan.warnings) output.line(`  note       ${yellow(warning)}`);
  }
  showLines(output, duplicates, "stand in the list already, which is harmless", "duplicate");
  showLines(output, skipped, "are left out", "malformed");
}

function from(plan: DomainPlan): string {
  if (plan.base === null) return "new";
  return `generation ${plan.base.generation}${plan.base.deleted ? ", deleted" : ""}`;
}

const gone = (plan: DomainPlan): number => plan.leaving.size;

function differenceOf(plan: DomainPlan): string {
  const { difference } = plan;
  if (difference === null) return "cannot be counted";
  const lost = difference.lost === 0 ? "" : `; ${difference.lost} accepted now would be refused`;
  return `${difference.added} added, ${difference.removed} removed, ${difference.changed} changed${lost}`;
}

function showLines(output: Output, report: LineReport, what: string, word: string): void {
  if (report.count === 0) return;
  output.line(`  ${word.padEnd(11)}${plural(report.count, "line")} ${what}`);
  for (const line of report.first.slice(0, SHOWN_LINES)) output.line(`    ${line}`);
  if (report.count > SHOWN_LINES) output.line(`    and ${report.count - SHOWN_LINES} more`);
}

/** A plan for `--json`. */
export function planJson({
  plan,
  duplicates,
  skipped,
  leaving,
  coming,
}: PlannedList): Record<string, unknown> {
  return {
    domain: plan.domain,
    planned_against: plan.expect,
    unchanged: plan.unchanged,
    counts: plan.packed.counts,
    difference: plan.difference,
    settings: plan.changes,
    mode: plan.resultingMode,
    guard: plan.refusal,
    missing_canaries: plan.missingCanaries,
    warnings: plan.warnings,
    coming,
    leaving,
    duplicates: { count: duplicates.count, lines: duplicates.first },
    skipped: { count: skipped.count, lines: skipped.first },
  };
}

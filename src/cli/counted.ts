import type { EdgeStatus } from "../api/index.ts";
import type { Cli } from "./context.ts";

/** Prints what the edge answered, and which faults it met. @param only domains to show; empty for all */
export function showCounted(cli: Cli, counted: EdgeStatus | null, only: readonly string[]): void {
  const { output } = cli;
  const { dim, red } = output.colors;
  const isShown = ({ domain }: { readonly domain: string | null }): boolean =>
    only.length === 0 || (domain !== null && only.includes(domain));
  const answers = counted?.answers.filter(isShown) ?? [];
  if (answers.length > 0) {
    output.line();
    output.table([
      ["ANSWERS", "MODE", "VERDICT", "LAST HOUR", "LAST DAY"].map(dim),
      ...answers.map((each) => [
        each.domain ?? "(others)",
        each.mode ?? "-",
        each.verdict,
        String(each.hour),
        String(each.day),
      ]),
    ]);
  }
  // A fault without a domain may concern any of them.
  const faults = counted?.faults.filter((each) => each.domain === null || isShown(each)) ?? [];
  if (faults.length > 0) {
    output.line();
    output.table([
      ["FAULTS", "KIND", "LAST HOUR", "LAST DAY"].map(dim),
      ...faults.map(({ domain, kind, hour, day }) => [
        domain ?? "-",
        hour > 0 ? red(kind) : kind,
        String(hour),
        String(day),
      ]),
    ]);
  }
}

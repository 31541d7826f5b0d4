/** The parts of docs/cost.md that are computed, and their places in it. */
import type { Counts } from "./counts.ts";
import { assumptionsTable, countsTable, pricesTable } from "./given-tables.ts";
import { freeTable, splitTable } from "./limit-tables.ts";
import { LOOKED_UP } from "./prices.ts";
import { bigTable, sharesTable, summary } from "./size-tables.ts";

/** Where the benchmark's results are kept. */
export const RESULTS = "docs/performance/results.json";

/** Every computed part, by the name of its markers. @param source where the counts come from, as the reader finds it */
export function partsOf(counts: Counts, source: string): Readonly<Record<string, string>> {
  return {
    source: sourceInWords(source),
    summary: summary(counts),
    counts: countsTable(counts),
    table: bigTable(counts),
    shares: sharesTable(counts),
    free: freeTable(counts),
    split: splitTable(counts),
    assumptions: assumptionsTable(),
    prices: pricesTable(),
  };
}

function sourceInWords(source: string): string {
  const example = source === RESULTS ? "" : " They are an example, and not what the benchmark measured.";
  return `Counts: \`${source}\`.${example} Prices: looked up on ${LOOKED_UP}.`;
}

/**
 * Puts the parts between their markers.
 * @throws Error where a part has no markers, or markers have no part
 */
export function fill(document: string, parts: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const filled = document.replaceAll(
    /(<!-- computed: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`docs/cost.md has a marker for ${name}, which is not computed`);
      used.add(name);
      return `${begin}${part}\n${end}`;
    },
  );
  const unused = Object.keys(parts).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`docs/cost.md has no marker for ${unused.join(", ")}`);
  return filled;
}

/** Numbers for readers, and their places in the document. */
import { between } from "../../testing/markdown.ts";

const COUNTS = { T: 1e12, G: 1e9, M: 1e6, k: 1e3 };
const BYTES = { TB: 1e12, GB: 1e9, MB: 1e6, kB: 1e3 };

/** Three digits at most, in the largest unit that the number reaches; null if it reaches none. */
function scaled(count: number, units: Readonly<Record<string, number>>, least: number): string | null {
  const rounded = Number(count.toPrecision(3));
  const found = Object.entries(units).find(([, size]) => rounded >= Math.max(least, size));
  return found === undefined ? null : `${Number((count / found[1]).toPrecision(3))} ${found[0]}`;
}

/** In full: `1,000,000`. */
export const whole = (count: number): string => count.toLocaleString("en-US", { maximumFractionDigits: 4 });
/** `730`, `9,840`, `48.2 k`, `1.05 M`. */
export const short = (count: number): string => scaled(count, COUNTS, 1e4) ?? whole(Math.round(count));
/** Decimal, as storage is billed. */
export const bytes = (count: number): string => scaled(count, BYTES, 1e3) ?? `${Math.round(count)} B`;
/** With cents below a hundred. */
export const dollars = (amount: number): string =>
  amount < 99.995 ? `$${amount.toFixed(2)}` : `$${whole(Math.round(amount))}`;
export const days = (count: number): string => (count === 1 ? "1 day" : `${whole(count)} days`);
/** Two figures of a range, or one if they look the same. */
export const range = (few: string, many: string): string => (few === many ? few : `${few} to ${many}`);

/**
 * Puts the computed parts between their markers.
 * @throws Error if a part has no markers, or markers have no part
 */
export function fill(page: string, parts: Readonly<Record<string, string>>): string {
  for (const [, name = ""] of page.matchAll(/<!-- computed: (\w+) -->/g))
    if (!(name in parts)) throw new Error(`docs/cost.md has markers for ${name}, which is not computed`);
  return Object.entries(parts).reduce(
    (filled, [name, text]) => between(filled, `<!-- computed: ${name} -->`, "<!-- end -->", text),
    page,
  );
}

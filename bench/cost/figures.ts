/** Numbers as people read them, and tables in Markdown. */

const UNITS: readonly (readonly [number, string])[] = [
  [1e12, " T"],
  [1e9, " G"],
  [1e6, " M"],
  [1e4, " k"],
];

/** Three digits at most: `730`, `9,840`, `48.2 k`, `1.05 M`. */
export function short(count: number): string {
  for (const [size, unit] of UNITS)
    if (rounded(count) >= size) return digits(count / (size === 1e4 ? 1e3 : size)) + unit;
  return Math.round(count).toLocaleString("en-US");
}

/** Octets, decimal as storage is billed. */
export function bytes(count: number): string {
  for (const [size, unit] of [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ] as const) {
    if (rounded(count) >= size) return `${digits(count / size)} ${unit}`;
  }
  return `${Math.round(count)} B`;
}

/** Dollars: cents below a hundred. */
export const dollars = (amount: number): string =>
  amount < 99.995 ? `$${amount.toFixed(2)}` : `$${Math.round(amount).toLocaleString("en-US")}`;

/** A power of ten in full: `1,000,000`. */
export const whole = (count: number): string => count.toLocaleString("en-US", { maximumFractionDigits: 4 });

/** Two figures of a range, once where they look the same. */
export const range = (few: string, many: string): string => (few === many ? few : `${few} to ${many}`);

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

const rounded = (count: number): number => Number(count.toPrecision(3));
const digits = (count: number): string => Number(count.toPrecision(3)).toString();

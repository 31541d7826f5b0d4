/** Tables over many sizes: counts, dollars, and what these are made of. */
import { FEW_ISOLATES, MANY_ISOLATES } from "./assumptions.ts";
import { billOf } from "./bill.ts";
import type { Counts } from "./counts.ts";
import { bytes, dollars, range, short, table, whole } from "./figures.ts";
import { type Item, PRICES, SUBSCRIPTION } from "./prices.ts";
import { keyPerMailbox, ours, type Size } from "./usage.ts";

export const MAILBOXES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const CHECKS = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const sizes = (): Size[] => MAILBOXES.flatMap((mailboxes) => CHECKS.map((checks) => ({ mailboxes, checks })));

export function bigTable(counts: Counts): string {
  const rows = sizes().map((size) => {
    const [few, many] = [ours(size, FEW_ISOLATES, counts), ours(size, MANY_ISOLATES, counts)];
    const theirs = keyPerMailbox(size, MANY_ISOLATES, counts);
    const both = (item: Item, format: (count: number) => string): string =>
      range(format(few.monthly[item]), format(many.monthly[item]));
    return [
      whole(size.mailboxes),
      short(size.checks),
      both("requests", short),
      both("kvReads", short),
      short(theirs.monthly.kvReads),
      both("kvWrites", short),
      short(theirs.monthly.kvWrites),
      both("kvBytes", bytes),
      bytes(theirs.monthly.kvBytes),
      both("objectRequests", short),
      range(dollars(billOf(few.monthly).total), dollars(billOf(many.monthly).total)),
      range(
        dollars(billOf(keyPerMailbox(size, FEW_ISOLATES, counts).monthly).total),
        dollars(billOf(theirs.monthly).total),
      ),
    ];
  });
  const head = ["mailboxes", "checks", "Worker requests, ours", "KV reads, ours", "one key"];
  return table(
    [
      ...head,
      "KV writes, ours",
      "one key",
      "KV storage, ours",
      "one key",
      "Registry requests",
      "dollars, ours",
      "one key",
    ],
    rows,
  );
}

/** Dollars of both designs at a size, with many isolates. */
function dollarsAt(size: Size, counts: Counts): { readonly mine: number; readonly theirs: number } {
  return {
    mine: billOf(ours(size, MANY_ISOLATES, counts).monthly).total,
    theirs: billOf(keyPerMailbox(size, MANY_ISOLATES, counts).monthly).total,
  };
}

/** Differences below this are none, in dollars. */
const ALIKE = 1;

export function summary(counts: Counts): string {
  const all = sizes().map((size) => ({ size, ...dollarsAt(size, counts) }));
  const dearer = all.filter(({ mine, theirs }) => mine - theirs >= ALIKE);
  const cheaper = all.filter(({ mine, theirs }) => theirs - mine >= ALIKE);
  const largest = (mailboxes: number): string => {
    const { mine, theirs } = dollarsAt({ mailboxes, checks: 1e9 }, counts);
    return `${dollars(mine)} against ${dollars(theirs)} at ${short(mailboxes)} mailboxes`;
  };
  const where = (some: typeof all): string => {
    const least = Math.min(...some.map(({ size }) => size.mailboxes));
    const most = Math.max(...some.map(({ size }) => size.checks));
    return some.length === 0 ? "" : `, all from ${short(least)} mailboxes on and up to ${short(most)} checks`;
  };
  return [
    `Of the ${all.length} sizes below, with many isolates, ours costs less than one key a mailbox at ${cheaper.length},`,
    `more at ${dearer.length}${where(dearer)}, and the same to a dollar at ${all.length - cheaper.length - dearer.length}.`,
    `At ${short(1e9)} checks a month it is ${largest(1e6)}, ${largest(1e7)} and ${largest(1e8)}.`,
  ].join("\n");
}

export function sharesTable(counts: Counts): string {
  const items = Object.keys(PRICES) as Item[];
  const shown = [
    [1e6, 1e7],
    [1e6, 1e8],
    [1e6, 1e9],
    [1e8, 1e9],
  ].map(([mailboxes, checks]) => ({ mailboxes, checks }) as Size);
  const bills = shown.flatMap((size) => [
    billOf(ours(size, MANY_ISOLATES, counts).monthly),
    billOf(keyPerMailbox(size, MANY_ISOLATES, counts).monthly),
  ]);
  const head = shown.flatMap(({ mailboxes, checks }) => [
    `${short(mailboxes)} mailboxes, ${short(checks)} checks`,
    "one key",
  ]);
  const rows = items
    .filter((item) => bills.some((bill) => bill.items[item] >= 0.005))
    .map((item) => [PRICES[item].what, ...bills.map((bill) => dollars(bill.items[item]))]);
  return table(
    ["dollars a month", ...head],
    [
      ["subscription", ...bills.map(() => dollars(SUBSCRIPTION))],
      ...rows,
      ["total", ...bills.map(({ total }) => dollars(total))],
    ],
  );
}

/** One size in words. */
import { type Assumptions, FEW_ISOLATES, MANY_ISOLATES } from "./assumptions.ts";
import { billOf, daysToFill, type Excess, firstPublication, passedLimits } from "./bill.ts";
import type { Counts } from "./counts.ts";
import { bytes, dollars, range, short, whole } from "./figures.ts";
import { type Item, PRICES, SUBSCRIPTION } from "./prices.ts";
import { type Design, keyPerMailbox, ours, type Size, shapeOf, type Use } from "./usage.ts";

/** @param given what the reader sets in place of our assumptions */
export function inWords(size: Size, given: Partial<Assumptions>, counts: Counts): string {
  const settings = [FEW_ISOLATES, MANY_ISOLATES].map((a) => ({ ...a, ...given }));
  const uses = settings.map((a) => ours(size, a, counts));
  const shapes = settings.map((a) => shapeOf(size, a, counts));
  const a = settings[1] as Assumptions;
  const theirs = keyPerMailbox(size, a, counts);
  const spread = <T>(items: readonly T[], show: (item: T) => string): string =>
    range(show(items[0] as T), show(items[1] as T));
  const use = (item: Item, show = short): string => spread(uses, ({ monthly }) => show(monthly[item]));
  const first = uses[1] as Use;
  return [
    `${whole(size.mailboxes)} mailboxes, ${whole(size.checks)} checks a month:`,
    `  isolates          ${spread(shapes, ({ isolates }) => short(isolates))}, of which ${spread(shapes, ({ coldStarts }) => short(coldStarts))} begin cold in a month`,
    `  requests          ${use("requests")}`,
    `  KV reads          ${use("kvReads")}; one key a mailbox: ${short(theirs.monthly.kvReads)}`,
    `  KV writes         ${use("kvWrites")}; one key a mailbox: ${short(theirs.monthly.kvWrites)}`,
    `  KV storage        ${use("kvBytes", bytes)}; one key a mailbox: ${bytes(theirs.monthly.kvBytes)}`,
    `  Registry requests ${use("objectRequests")}`,
    `  first publication ${short(first.firstWrites)} KV writes, ${dollars(firstPublication(first))}; one key a mailbox: ${short(theirs.firstWrites)}, ${dollars(firstPublication(theirs))}`,
    `  paid plan         ${spread(uses, ({ monthly }) => dollars(billOf(monthly).total))} a month (${sharesOf(first)}); one key a mailbox: ${dollars(billOf(theirs.monthly).total)}`,
    `  free plan         ${freeInWords(ours, size, a, counts)}; one key a mailbox: ${freeInWords(keyPerMailbox, size, a, counts)}`,
    "",
  ].join("\n");
}

function sharesOf({ monthly }: Use): string {
  const { items, total } = billOf(monthly);
  const shown = (Object.keys(items) as Item[]).filter((item) => items[item] >= total / 100);
  const share = (amount: number): string => `${Math.round((100 * amount) / total)} %`;
  return [
    `subscription ${share(SUBSCRIPTION)}`,
    ...shown.map((item) => `${PRICES[item].what} ${share(items[item])}`),
  ].join(", ");
}

function freeInWords(design: Design, size: Size, a: Assumptions, counts: Counts): string {
  const fill = daysToFill(design(size, a, counts));
  const passed = passedLimits(design, size, a, counts);
  if (passed.length === 0) return `fits${fill === 1 ? "" : `, published over ${whole(fill)} days`}`;
  const excess = ({ item, used, limit }: Excess): string => {
    if (item === "cpu of one request") return `${item} ${short(used)} ms against ${short(limit)}`;
    const show = PRICES[item].unit === "bytes" ? bytes : short;
    return `${PRICES[item].what} ${show(used)} against ${show(limit)}`;
  };
  return `does not fit: ${passed.map(excess).join(", ")}`;
}

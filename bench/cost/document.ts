/** The computed parts of docs/cost.md, and one size in words. */
import { type Column, markdownTable, tableOf } from "../../testing/markdown.ts";
import { type Assumptions, FEW_ISOLATES, MANY_ISOLATES, REASONS, SECONDS_PER_MONTH } from "./assumptions.ts";
import * as bill from "./bill.ts";
import { type Counts, countsTable } from "./counts.ts";
import { bytes, days, dollars, range, short, whole } from "./format.ts";
import { pacingTable } from "./pacing.ts";
import { ITEMS, type Item, LOOKED_UP, OBJECT_LIMITS, PRICES, SOURCES, SUBSCRIPTION } from "./prices.ts";
import { type Design, keyPerMailbox, ours, type Size, shapeOf } from "./usage.ts";

/** Where the benchmark's results are kept. */
export const RESULTS = "docs/performance/results.json";

const MAILBOXES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const CHECKS = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Differences below this count as none, in dollars. */
const ALIKE = 1;

/** Every computed part, by the name of its markers. @param source where the counts come from, for the reader */
export function partsOf(counts: Counts, source: string): Readonly<Record<string, string>> {
  const example = source === RESULTS ? "" : " They are an example, and not what the benchmark measured.";
  const compared = MAILBOXES.flatMap((mailboxes) =>
    CHECKS.map((checks) => compare({ mailboxes, checks }, counts)),
  );
  return {
    source: `Counts: \`${source}\`.${example} Prices: looked up on ${LOOKED_UP}.`,
    summary: summary(compared),
    counts: countsTable(counts),
    table: sizesTable(compared),
    shares: sharesTable(compared),
    free: freeTable(counts),
    pacing: pacingTable(),
    split: splitTable(counts),
    assumptions: assumptionsTable(),
    prices: pricesTable(),
  };
}

/** A design at one size with few isolates and with many; if one is enough, it is the second. */
function costs(design: Design, size: Size, counts: Counts, given: Partial<Assumptions>) {
  const on = (side: Assumptions) => {
    const a = { ...side, ...given };
    const use = design(size, a, counts);
    return { a, ...use, bill: bill.billOf(use.monthly), free: bill.passedLimits(design, size, a, counts) };
  };
  return [on(FEW_ISOLATES), on(MANY_ISOLATES)] as const;
}
type Both = ReturnType<typeof costs>;
type Cost = Both[number];

const compare = (size: Size, counts: Counts, given: Partial<Assumptions> = {}) => ({
  size,
  mine: costs(ours, size, counts, given),
  theirs: costs(keyPerMailbox, size, counts, given),
});
type Compared = ReturnType<typeof compare>;

const spread = ([few, many]: Both, show: (cost: Cost) => string): string => range(show(few), show(many));
const amount = (unit: string, count: number): string => (unit === "bytes" ? bytes : short)(count);
const used = (item: Item) => (both: Both) =>
  spread(both, ({ monthly }) => amount(PRICES[item].unit, monthly[item]));
const total = (both: Both): string => spread(both, (cost) => dollars(cost.bill.total));

const mailboxes: Column<Pick<Compared, "size">> = ["mailboxes", ({ size }) => whole(size.mailboxes)];
/** Two columns: ours, and beside it one key a mailbox. */
const beside = (head: string, show: (both: Both) => string): Column<Compared>[] => [
  [`${head}, ours`, ({ mine }) => show(mine)],
  ["one key", ({ theirs }) => show(theirs)],
];

const sizesTable = (compared: readonly Compared[]): string =>
  tableOf(compared, [
    mailboxes,
    ["checks", ({ size }) => short(size.checks)],
    ["Worker requests, ours", ({ mine }) => used("requests")(mine)],
    ...beside("KV reads", used("kvReads")),
    ...beside("KV writes", used("kvWrites")),
    ...beside("KV storage", used("kvBytes")),
    ["Registry requests", ({ mine }) => used("objectRequests")(mine)],
    ...beside("dollars", total),
  ]);

function summary(compared: readonly Compared[]): string {
  const more = ({ mine, theirs }: Compared): number => mine[1].bill.total - theirs[1].bill.total;
  const dearer = compared.filter((each) => more(each) >= ALIKE).map(({ size }) => size);
  const cheaper = compared.filter((each) => more(each) <= -ALIKE).length;
  const least = short(Math.min(...dearer.map((size) => size.mailboxes)));
  const most = short(Math.max(...dearer.map(({ checks }) => checks)));
  const where = dearer.length === 0 ? "" : `, all from ${least} mailboxes on and up to ${most} checks`;
  const [m1, m10, m100] = compared
    .filter(({ size }) => size.checks === 1e9 && size.mailboxes >= 1e6)
    .map(({ size, mine, theirs }) => {
      const [own, other] = [mine, theirs].map((both) => dollars(both[1].bill.total));
      return `${own} against ${other} at ${short(size.mailboxes)} mailboxes`;
    });
  return `Of the ${compared.length} sizes below, with many isolates, ours costs less than one key a mailbox at ${cheaper},
more at ${dearer.length}${where}, and the same to a dollar at ${compared.length - cheaper - dearer.length}.
At 1 G checks a month it is ${m1}, ${m10} and ${m100}.`;
}

function sharesTable(compared: readonly Compared[]): string {
  const SHOWN = ["1 M mailboxes, 10 M", "1 M mailboxes, 100 M", "1 M mailboxes, 1 G", "100 M mailboxes, 1 G"];
  const bills = compared.flatMap(({ size, mine, theirs }) => {
    const words = `${short(size.mailboxes)} mailboxes, ${short(size.checks)}`;
    if (!SHOWN.includes(words)) return [];
    return [[`${words} checks`, mine[1].bill] as const, ["one key", theirs[1].bill] as const];
  });
  type Row = readonly [what: string, cost: (bill: Cost["bill"]) => number];
  const rows = ITEMS.filter((item) => bills.some(([, { items }]) => items[item] >= 0.005)).map(
    (item): Row => [PRICES[item].what, ({ items }) => items[item]],
  );
  return tableOf<Row>(
    [["subscription", () => SUBSCRIPTION], ...rows, ["total", (bill) => bill.total]],
    [
      ["dollars a month", ([what]) => what],
      ...bills.map(([head, bill]): Column<Row> => [head, ([, cost]) => dollars(cost(bill))]),
    ],
  );
}

const firstWrites = ([, use]: Both, more: (use: Cost) => string): string =>
  `${short(use.firstWrites)}, ${more(use)}`;
const inDays = (use: Cost): string => days(bill.daysToFill(use));
const inDollars = (use: Cost): string => dollars(bill.firstPublication(use));

function freeTable(counts: Counts): string {
  const rows = MAILBOXES.map((mailboxes) => ({
    ...compare({ mailboxes, checks: 0 }, counts),
    few: bill.freePlan(mailboxes, FEW_ISOLATES, counts, ours),
    many: bill.freePlan(mailboxes, MANY_ISOLATES, counts, ours),
    other: bill.freePlan(mailboxes, MANY_ISOLATES, counts, keyPerMailbox),
  }));
  const checks = ({ checks }: { readonly checks: number }): string =>
    checks === 0 ? "none" : short(Number(checks.toPrecision(2)));
  const stops = (few: string, many: string): string =>
    few === many ? few : `${few}; with many isolates ${many}`;
  return tableOf(rows, [
    mailboxes,
    ["publishes a day that fit", ({ many }) => (many.publishes === 0 ? "none" : whole(many.publishes))],
    ["checks a month that fit, ours", ({ few, many }) => range(checks(few), checks(many))],
    ["what stops more", ({ few, many }) => stops(few.stops.join(", "), many.stops.join(", "))],
    ["one key", ({ other }) => checks(other)],
    ...beside("first publication: KV writes", (both) => firstWrites(both, inDays)),
    ...beside("dollars on the paid plan", ([, use]) => inDollars(use)),
  ]);
}

function splitTable(counts: Counts): string {
  const a = MANY_ISOLATES;
  const rows = MAILBOXES.map((mailboxes) => {
    const size = { mailboxes, checks: 1e9 };
    return { size, ...shapeOf(size, a, counts), history: bill.historyThatFits(size, a, counts) };
  });
  const history = (most: number | null): string =>
    most === null ? "none: split" : most >= a.historyDays ? `${a.historyDays} days: fits` : days(most);
  return tableOf(rows, [
    mailboxes,
    ["isolates at 1 G checks", ({ isolates }) => short(isolates)],
    ["questions a second", (row) => whole(Number((row.refreshes / SECONDS_PER_MONTH).toPrecision(2)))],
    ["isolates that one object takes", () => short(bill.isolatesPerObject(a))],
    ["Registry storage", ({ size }) => bytes(ours(size, a, counts).monthly.objectBytes)],
    [`history that fits in ${bytes(OBJECT_LIMITS.bytes)}`, (row) => history(row.history)],
  ]);
}

function assumptionsTable(): string {
  const shown = (value: number | null): string => (value === null ? "computed" : whole(value));
  return tableOf(REASONS, [
    ["parameter", ([name]) => `\`${name}\``],
    ["few isolates", ([name]) => shown(FEW_ISOLATES[name])],
    ["many", ([name]) => shown(MANY_ISOLATES[name])],
    ["why", ([, why]) => why],
  ]);
}

function pricesTable(): string {
  const perMillion = (rate: number): string => (rate < 0.01 ? `$${whole(rate)}` : dollars(rate));
  const beyond = (each: number, unit: string): string =>
    unit === "bytes" ? `${dollars(each * 1e9)} a GB` : `${perMillion(each * 1e6)} a million`;
  const perDay = (unit: string): string => (unit === "bytes" ? "" : " a day");
  return tableOf(Object.values(PRICES), [
    ["what", ({ what, unit }) => (unit === "" || unit === "bytes" ? what : `${what}, ${unit}`)],
    ["included in $5 a month", ({ unit, included }) => amount(unit, included)],
    ["beyond", ({ each, unit }) => beyond(each, unit)],
    ["free plan", ({ free, unit }) => (free === null ? "" : `${amount(unit, free)}${perDay(unit)}`)],
    ["source", ({ source }) => `[${source}](${SOURCES[source]})`],
  ]);
}

/** One size, beside one key a mailbox. @param given what the reader sets in place of our assumptions */
export function oneSize(size: Size, given: Partial<Assumptions>, counts: Counts): string {
  const { mine, theirs } = compare(size, counts, given);
  const free = ([, use]: Both): string => {
    const passed = use.free.map(
      ({ what, unit, used, limit }) => `${what} ${amount(unit, used)} against ${amount(unit, limit)}`,
    );
    return passed.length === 0 ? `fits, published in ${inDays(use)}` : `exceeds ${passed.join(", ")}`;
  };
  const shape = (name: "isolates" | "coldStarts"): string =>
    spread(mine, ({ a }) => short(shapeOf(size, a, counts)[name]));
  const both = (what: string, show: (both: Both) => string) => [what, show(mine), show(theirs)];
  const lines = [
    ["isolates", shape("isolates"), ""],
    ["isolates that start", shape("coldStarts"), ""],
    ...ITEMS.map((item) => both(PRICES[item].what, used(item))),
    both("first publication: KV writes", (it) => firstWrites(it, inDollars)),
    both("paid plan", total),
    both("free plan", free),
  ];
  const head = `${whole(size.mailboxes)} mailboxes, ${whole(size.checks)} checks a month`;
  return markdownTable([head, "ours", "one key a mailbox"], lines);
}

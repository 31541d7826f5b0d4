/** The parts of docs/cost.md that are computed. */
import { type Assumptions, FEW_ISOLATES, MANY_ISOLATES, REASONS } from "./assumptions.ts";
import {
  billOf,
  checksThatFit,
  daysToFill,
  type Excess,
  firstPublication,
  passedLimits,
  publishesThatFit,
} from "./bill.ts";
import { type Counts, NEEDED } from "./counts.ts";
import { bytes, dollars, range, short, table, whole } from "./figures.ts";
import { FREE_LIMITS, type Item, LOOKED_UP, OBJECT_LIMITS, PRICES, SOURCES, SUBSCRIPTION } from "./prices.ts";
import { historyThatFits, isolatesPerObject } from "./split.ts";
import { type Design, keyPerMailbox, ours, type Size, shapeOf } from "./usage.ts";

/** Where the benchmark's results are kept. */
export const RESULTS = "docs/performance/results.json";

const MAILBOXES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const CHECKS = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** Every computed part, by the name of its markers. @param source where the counts come from, as the reader finds it */
export function partsOf(counts: Counts, source: string): Readonly<Record<string, string>> {
  return {
    source: sourceInWords(source),
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

const sizes = (): Size[] => MAILBOXES.flatMap((mailboxes) => CHECKS.map((checks) => ({ mailboxes, checks })));

function bigTable(counts: Counts): string {
  const rows = sizes().map((size) => {
    const [few, many] = [ours(size, FEW_ISOLATES, counts), ours(size, MANY_ISOLATES, counts)];
    const theirs = keyPerMailbox(size, MANY_ISOLATES, counts);
    const both = (item: Item, format: (count: number) => string): string =>
      range(format(few.monthly[item]), format(many.monthly[item]));
    return [
      whole(size.mailboxes),
      short(size.checks),
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
  const head = ["mailboxes", "checks = requests", "KV reads, ours", "one key", "KV writes, ours", "one key"];
  return table(
    [...head, "KV storage, ours", "one key", "Registry requests", "dollars, ours", "one key"],
    rows,
  );
}

function sharesTable(counts: Counts): string {
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

function freeTable(counts: Counts): string {
  const rows = MAILBOXES.map((mailboxes) => {
    const size = { mailboxes, checks: 0 };
    const [mine, theirs] = [ours(size, MANY_ISOLATES, counts), keyPerMailbox(size, MANY_ISOLATES, counts)];
    const publishes = publishesThatFit(mailboxes, MANY_ISOLATES, counts, ours);
    return [
      whole(mailboxes),
      publishes === 0 ? "none" : whole(publishes),
      range(
        checksInWords(mailboxes, FEW_ISOLATES, counts, ours),
        checksInWords(mailboxes, MANY_ISOLATES, counts, ours),
      ),
      limitsAt(mailboxes, counts),
      checksInWords(mailboxes, MANY_ISOLATES, counts, keyPerMailbox),
      `${short(mine.firstWrites)}, ${days(daysToFill(mine))}`,
      `${short(theirs.firstWrites)}, ${days(daysToFill(theirs))}`,
      dollars(firstPublication(mine)),
      dollars(firstPublication(theirs)),
    ];
  });
  return table(
    [
      "mailboxes",
      "publishes a day that fit",
      "checks a month that fit, ours",
      "what stops more",
      "one key",
      "first publication: KV writes, ours",
      "one key",
      "dollars on the paid plan, ours",
      "one key",
    ],
    rows,
  );
}

function checksInWords(mailboxes: number, a: Assumptions, counts: Counts, design: Design): string {
  const checks = checksThatFit(mailboxes, a, counts, design);
  return checks === 0 ? "none" : short(Number(checks.toPrecision(2)));
}

const days = (count: number): string => (count === 1 ? "1 day" : `${whole(count)} days`);

/** The limits that are passed by one check more than fits, with few isolates and with many. */
function limitsAt(mailboxes: number, counts: Counts): string {
  const [few, many] = [FEW_ISOLATES, MANY_ISOLATES].map((a) => {
    const fitting = publishesThatFit(mailboxes, a, counts, ours);
    const publishesPerDay = Math.min(a.publishesPerDay, Math.max(1, fitting));
    const size = { mailboxes, checks: checksThatFit(mailboxes, a, counts, ours) + 1 };
    return passedLimits(ours, size, { ...a, publishesPerDay }, counts)
      .map(({ item }) => nameOf(item))
      .join(", ");
  }) as [string, string];
  return few === many ? few : `${few}; with many isolates ${many}`;
}

const nameOf = (item: Excess["item"]): string => (item === "cpu of one request" ? item : PRICES[item].what);

function splitTable(counts: Counts): string {
  const a = MANY_ISOLATES;
  const rows = MAILBOXES.map((mailboxes) => {
    const size = { mailboxes, checks: 1e9 };
    const { isolates, refreshes } = shapeOf(size, a, counts);
    const history = historyThatFits(size, a, counts);
    return [
      whole(mailboxes),
      short(isolates),
      whole(Number((refreshes / (730.5 * 3600)).toPrecision(2))),
      short(isolatesPerObject(a)),
      bytes(ours(size, a, counts).monthly.objectBytes),
      history === null
        ? "none: split"
        : history >= a.historyDays
          ? `${a.historyDays} days: fits`
          : days(history),
    ];
  });
  const head = [
    "mailboxes",
    "isolates at 1 G checks",
    "questions a second",
    "isolates that one object takes",
  ];
  return table([...head, "Registry storage", `history that fits in ${bytes(OBJECT_LIMITS.bytes)}`], rows);
}

function countsTable(counts: Counts): string {
  const row = (what: string, value: number, ...ids: (keyof typeof NEEDED)[]): string[] => [
    what,
    Number(value.toPrecision(3)).toString(),
    ids.map((id) => `\`${NEEDED[id]}\``).join(", "),
  ];
  return table(
    ["what one operation takes", "measured", "from"],
    [
      row("KV octets a mailbox", counts.bytesPerMailbox, "bytesPerMailbox"),
      row(
        "mailboxes that an isolate holds, millions",
        MANY_ISOLATES.cacheBytes / counts.bytesPerMailbox / 1e6,
        "bytesPerMailbox",
      ),
      row("CPU of a check in memory, ms, at most", counts.cpuMsPerCheck, "checks"),
      row("KV reads for a manifest", counts.readsPerManifest, "coldSmall"),
      row("KV reads for a shard", counts.readsPerShard, "coldLarge", "coldSmall"),
      row("further KV reads of a cold isolate", counts.readsPerStart, "readsOfUnknown"),
      row("Registry calls of a cold isolate", counts.callsPerStart, "coldCalls"),
      row(
        "KV writes of a first publication beside manifest and shards",
        counts.writesPerBeginning,
        "firstWrites",
      ),
      row(
        "KV writes of a publish beside manifest and changed shards",
        counts.writesPerPublish,
        "changeWrites",
      ),
    ],
  );
}

function assumptionsTable(): string {
  const names = Object.keys(REASONS) as (keyof Assumptions)[];
  const shown = (value: number | null): string => (value === null ? "computed" : whole(value));
  return table(
    ["parameter", "few isolates", "many", "why"],
    names.map((name) => [
      `\`${name}\``,
      shown(FEW_ISOLATES[name]),
      shown(MANY_ISOLATES[name]),
      REASONS[name],
    ]),
  );
}

function pricesTable(): string {
  const free: Partial<Record<Item, { readonly limit: number; readonly isDaily: boolean }>> = FREE_LIMITS;
  const rows = (Object.keys(PRICES) as Item[]).map((item) => {
    const { what, unit, included, each, source } = PRICES[item];
    const isBytes = unit === "bytes";
    const show = isBytes ? bytes : short;
    const limit = free[item];
    return [
      unit === "" || isBytes ? what : `${what}, ${unit}`,
      show(included),
      isBytes
        ? `${dollars(each * 1e9)} a GB`
        : `${each * 1e6 < 0.01 ? `$${whole(each * 1e6)}` : dollars(each * 1e6)} a million`,
      limit === undefined ? "" : `${show(limit.limit)}${limit.isDaily ? " a day" : ""}`,
      `[${source}](${SOURCES[source]})`,
    ];
  });
  return table(["what", "included in $5 a month", "beyond", "free plan", "source"], rows);
}

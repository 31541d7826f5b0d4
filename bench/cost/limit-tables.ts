/** Tables of what fits: the free plan, and one Registry. */
import { type Assumptions, FEW_ISOLATES, MANY_ISOLATES, SECONDS_PER_MONTH } from "./assumptions.ts";
import {
  checksThatFit,
  daysToFill,
  type Excess,
  firstPublication,
  passedLimits,
  publishesThatFit,
} from "./bill.ts";
import type { Counts } from "./counts.ts";
import { bytes, dollars, range, short, table, whole } from "./figures.ts";
import { OBJECT_LIMITS, PRICES } from "./prices.ts";
import { MAILBOXES } from "./size-tables.ts";
import { historyThatFits, isolatesPerObject } from "./split.ts";
import { type Design, keyPerMailbox, ours, shapeOf } from "./usage.ts";

export function freeTable(counts: Counts): string {
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

export function splitTable(counts: Counts): string {
  const a = MANY_ISOLATES;
  const rows = MAILBOXES.map((mailboxes) => {
    const size = { mailboxes, checks: 1e9 };
    const { isolates, refreshes } = shapeOf(size, a, counts);
    const history = historyThatFits(size, a, counts);
    return [
      whole(mailboxes),
      short(isolates),
      whole(Number((refreshes / SECONDS_PER_MONTH).toPrecision(2))),
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

/** Tables of what the model rests on: counts, assumptions, prices. */
import { type Assumptions, FEW_ISOLATES, MANY_ISOLATES, REASONS } from "./assumptions.ts";
import { type Counts, NEEDED } from "./counts.ts";
import { bytes, dollars, short, table, whole } from "./figures.ts";
import { FREE_LIMITS, type Item, PRICES, SOURCES } from "./prices.ts";

export function countsTable(counts: Counts): string {
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

export function assumptionsTable(): string {
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

export function pricesTable(): string {
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

/** What Rollcall costs on Cloudflare, from counts that the benchmark measured. `npm run cost -- --help` */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { REASONS } from "./cost/assumptions.ts";
import { readCounts } from "./cost/counts.ts";
import { oneSize, partsOf, RESULTS } from "./cost/document.ts";
import { fill } from "./cost/format.ts";
import { root } from "./rig/processes.ts";

const NUMBERS = ["mailboxes", "checks", ...REASONS.map(([name]) => name)];
const USAGE = `npm run cost -- --mailboxes N --checks N [options]   one size; checks are those of a month
npm run cost -- --write                              updates the tables of docs/cost.md
  --results FILE   counts of another run of the benchmark
  --NAME N         replaces an assumption: ${REASONS.map(([name]) => name).join(", ")}`;

/** Brings the tables of docs/cost.md up to date. */
export function writeCost(results: string): void {
  const page = join(root, "docs/cost.md");
  const parts = partsOf(readCounts(results), relative(root, resolve(results)));
  writeFileSync(page, fill(readFileSync(page, "utf8"), parts));
}

/** `1e6` and `1_000_000` included. @throws Error */
function numberOf(name: string, text: string): number {
  const number = Number(text.replaceAll("_", ""));
  if (Number.isFinite(number) && number >= 0) return number;
  throw new Error(`${name}: ${text} is not a number`);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(NUMBERS.map((name) => [name, { type: "string" as const }])),
      results: { type: "string", default: join(root, RESULTS) },
      write: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  const { results, write, help, ...texts } = values;
  if (help) console.log(USAGE);
  else if (write) writeCost(results);
  else {
    const numbers = Object.entries(texts).map(([name, text]) => [name, numberOf(name, String(text))]);
    const { mailboxes, checks, ...given } = Object.fromEntries(numbers) as Record<string, number>;
    if (!mailboxes || !checks)
      throw new Error(`--mailboxes and --checks must be given and above 0\n${USAGE}`);
    console.log(oneSize({ mailboxes, checks }, given, readCounts(results)));
  }
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/**
 * What Rollcall costs on Cloudflare, from counts that the benchmark measured.
 *
 *   npm run cost -- --mailboxes N --checks N [--isolates N] [--changes N] [--domains N] [--partitions N]
 *   npm run cost -- --write       computes the tables of docs/cost.md anew
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Assumptions } from "./cost/assumptions.ts";
import { readCounts } from "./cost/counts.ts";
import { fill, partsOf, RESULTS } from "./cost/document.ts";
import { inWords } from "./cost/words.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const DOCUMENT = join(root, "docs/cost.md");

const USAGE =
  "npm run cost -- --mailboxes N --checks N [--isolates N] [--changes N] [--domains N] [--partitions N], or --write";

function main(): void {
  const number = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      mailboxes: number,
      checks: number,
      isolates: number,
      changes: number,
      domains: number,
      partitions: number,
      results: { type: "string", default: join(root, RESULTS) },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const counts = readCounts(values.results);
  if (values.write) {
    const parts = partsOf(counts, relative(root, resolve(values.results)));
    writeFileSync(DOCUMENT, fill(readFileSync(DOCUMENT, "utf8"), parts));
    return;
  }
  if (values.mailboxes === undefined || values.checks === undefined) throw new Error(`usage: ${USAGE}`);
  const given = {
    isolates: values.isolates,
    changesPerDay: values.changes,
    domains: values.domains,
    partitions: values.partitions,
  };
  const numbers = Object.entries(given).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, countOf(name, text)] as const],
  );
  const size = {
    mailboxes: countOf("mailboxes", values.mailboxes),
    checks: countOf("checks", values.checks),
  };
  process.stdout.write(inWords(size, Object.fromEntries(numbers) as Partial<Assumptions>, counts));
}

/** A whole number, `1e6` and `1_000_000` included. @throws Error */
function countOf(name: string, text: string): number {
  const number = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(number) || number < (name === "changesPerDay" ? 0 : 1)) {
    throw new Error(`${name}: ${text} is no count`);
  }
  return number;
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

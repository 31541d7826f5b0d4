/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import type { Extent } from "./report/measurement.ts";

export interface Settings {
  readonly extent: Extent;
  /** Names of suites; null for all. */
  readonly only: readonly string[] | null;
  readonly json: string | null;
  readonly write: boolean;
  readonly strict: boolean;
}

export const USAGE = `npm run bench -- [options]

  --quick          fewer rounds, shorter, smaller lists: about five minutes, too short to rely on
  --only NAME,...  only these suites
  --rounds N       rounds of each comparison (default 5; quick 1)
  --seconds N      seconds of load in each round, for each side (default 2; quick 1)
  --json FILE      write the whole result; npm run bench:compare -- BEFORE AFTER compares two
  --write          update docs/performance.md, its chart and results.json, and docs/cost.md
  --strict         exit with 1 also where a bar is not met or a suite was skipped`;

/** @param names of all suites */
export function readArguments(args: readonly string[], names: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const only = values.only?.split(",") ?? null;
  const unknown = (only ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no suite ${unknown.join(", ")}; there are ${names.join(", ")}`);
  if (values.write && (only !== null || values.quick))
    throw new Error("--write needs a whole run: leave out --only and --quick");
  return {
    extent: {
      isQuick: values.quick,
      rounds: whole("rounds", values.rounds, values.quick ? 1 : 5),
      seconds: whole("seconds", values.seconds, values.quick ? 1 : 2),
    },
    only,
    json: values.json ?? null,
    write: values.write,
    strict: values.strict,
  };
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} must be a whole number from 1 to 9999`);
  return Number(text);
}

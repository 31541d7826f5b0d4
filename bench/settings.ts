/** The command line of the benchmark. */
import { parseArgs } from "node:util";

export type Settings = ReturnType<typeof readArguments>;

export const USAGE = `npm run bench -- [options]

  --quick          fewer rounds, shorter, smaller lists: about five minutes, too short to rely on
  --only NAME,...  only these suites
  --rounds N       rounds of each comparison (default 5; quick 1)
  --seconds N      seconds of load in each round, for each side (default 2; quick 1)
  --json FILE      write the whole result; npm run bench:compare -- BEFORE AFTER compares two
  --write          update docs/performance.md, its chart and results.json, and the tables of other pages. With --only,
                   the results of these suites replace the recorded ones
  --record FILE,...  no run: write what earlier runs wrote with --only and --json
  --strict         exit with 1 also if a bar is not met or a suite was skipped`;

/** @param names of all suites */
export function readArguments(args: readonly string[], names: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      record: { type: "string", default: "" },
      strict: { type: "boolean", default: false },
    },
  });
  const only = values.only?.split(",") ?? null;
  const unknown = (only ?? []).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no suite ${unknown.join(", ")}; there are ${names.join(", ")}`);
  if (values.write && values.quick) throw new Error("a quick run is too short to write: leave out --quick");
  const { quick: isQuick, json = null, write, strict } = values;
  return {
    extent: {
      isQuick,
      rounds: whole("rounds", values.rounds, isQuick ? 1 : 5),
      seconds: whole("seconds", values.seconds, isQuick ? 1 : 2),
    },
    /** Names of suites; null for all. */
    only,
    json,
    write,
    /** Results of earlier runs to write; none for a run. */
    record: values.record.split(",").filter((file) => file !== ""),
    strict,
  };
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} must be a whole number from 1 to 9999`);
  return Number(text);
}

/** Runs Stryker over files. */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Stryker } from "@stryker-mutator/core";
import { ROOT, SLOW_TESTS, testsOf } from "./areas.ts";

/** A mutant, and what became of it. */
export interface Outcome {
  readonly file: string;
  readonly from: Position;
  readonly to: Position;
  readonly operator: string;
  /** The code, with its white space as one blank. */
  readonly code: string;
  readonly becomes: string;
  readonly fate: Fate;
}

export type Fate = "noticed" | "survived" | "not reached";

export interface Position {
  readonly line: number;
  readonly column: number;
}

type Result = Awaited<ReturnType<Stryker["runMutationTest"]>>[number];

/** One worker a core, or as many as the machine can spare. */
const WORKERS = Number(process.env.ROLLCALL_MUTATION_WORKERS ?? 2);

/**
 * Tries every mutant of the files.
 * @param files whose tests are the same
 * @param lines the only ones to mutate, for each file; all where it is left out
 */
export async function mutate(
  files: readonly string[],
  lines?: ReadonlyMap<string, readonly number[]>,
): Promise<Outcome[]> {
  const ranges = files.flatMap(
    (file) => lines?.get(file)?.map((line) => `${file}:${line}-${line}`) ?? [file],
  );
  const [first] = files;
  if (first === undefined || ranges.length === 0) return [];
  // Property tests notice nearly everything within a few cases.
  process.env.ROLLCALL_RUNS ??= "40";
  process.env.ROLLCALL_FULL ??= "0";
  process.env.ROLLCALL_MUTATION_TESTS = testsOf(first).join(",");
  process.env.ROLLCALL_MUTATION_WITHOUT = SLOW_TESTS.join("|");
  const sources = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
  const results = await new Stryker({
    mutate: ranges,
    testRunner: "in-process",
    coverageAnalysis: "perTest",
    plugins: [join(ROOT, "mutation", "runner.ts"), join(ROOT, "mutation", "error-texts.ts")],
    // Every mutant imports the modules again, and the old ones stay in memory.
    maxTestRunnerReuse: 200,
    ignorers: ["error-texts"],
    concurrency: WORKERS,
    // Only a test that hangs may time out, even on a busy machine.
    timeoutMS: 8_000,
    timeoutFactor: 4,
    // TypeScript 7 has no API by which Stryker could rewrite a tsconfig; nothing here needs one.
    tsconfigFile: "none",
    tempDirName: join(tmpdir(), "rollcall-stryker"),
    ignorePatterns: ["/dist", "/reports"],
    reporters: ["dots"],
    logLevel: "warn" as never,
    allowEmpty: true,
    warnings: false,
  }).runMutationTest();
  return results.flatMap((result) => outcomeOf(result, sources));
}

function outcomeOf(result: Result, sources: ReadonlyMap<string, string>): Outcome[] {
  const fate = fateOf(result);
  if (fate === null) return [];
  const file = relative(ROOT, result.fileName);
  const { start, end } = result.location;
  return [
    {
      file,
      from: start,
      to: end,
      operator: result.mutatorName,
      code: oneLine(textBetween(sources.get(file) ?? "", start, end)),
      becomes: oneLine(result.replacement),
      fate,
    },
  ];
}

/** Null where the mutant is left alone. */
function fateOf({ status, statusReason, replacement, fileName, location }: Result): Fate | null {
  switch (status) {
    case "Killed":
    case "Timeout":
      return "noticed";
    case "Survived":
      return "survived";
    case "NoCoverage":
      return "not reached";
    case "Ignored":
      return null;
    default:
      throw new Error(
        `${fileName}:${location.start.line}: "${replacement}" ends in ${status}: ${statusReason ?? ""}`,
      );
  }
}

function textBetween(text: string, from: Position, to: Position): string {
  const lines = text.split("\n").slice(from.line - 1, to.line);
  lines[lines.length - 1] = (lines.at(-1) as string).slice(0, to.column - 1);
  lines[0] = (lines[0] as string).slice(from.column - 1);
  return lines.join("\n");
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ");

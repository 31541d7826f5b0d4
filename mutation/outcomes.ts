/** What the last run over each file found, kept in outcomes.json: so runs over one file at a time add up to one score. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AREAS, filesOf, ROOT } from "./areas.ts";
import type { Outcome } from "./run.ts";

export interface FileOutcome {
  readonly file: string;
  /** Start of the SHA-256 of the text that was mutated. */
  readonly text: string;
  readonly mutants: number;
  readonly noticed: number;
  readonly survivors: readonly Survivor[];
}

/** A mutant that no test noticed, and whether the simulation did. */
export type Survivor = Outcome & { readonly simulation?: SimulationOutcome };

export interface SimulationOutcome {
  /** Until it was noticed, or in all. */
  readonly checks: number;
  /** What noticed it, null if nothing did. */
  readonly assertion: string | null;
}

const OUTCOMES = join(ROOT, "mutation", "outcomes.json");

export const readOutcomes = (): FileOutcome[] => JSON.parse(readFileSync(OUTCOMES, "utf8"));

/** Whether a file is still what was mutated. */
export const isCurrent = ({ file, text }: FileOutcome): boolean => text === digestOf(file);

/** Stores the outcomes of files in place of their earlier ones. */
export function storeOutcomes(outcomes: readonly FileOutcome[]): void {
  const all = new Map([...readOutcomes(), ...outcomes].map((each) => [each.file, each]));
  const inOrder = AREAS.flatMap(filesOf).flatMap((file) => all.get(file) ?? []);
  writeFileSync(OUTCOMES, `${JSON.stringify(inOrder, null, 2)}\n`);
}

/** @param outcomes those of all mutants of the file */
export function fileOutcome(file: string, outcomes: readonly Outcome[]): FileOutcome {
  const survivors = outcomes.filter(({ fate }) => fate !== "noticed");
  return {
    file,
    text: digestOf(file),
    mutants: outcomes.length,
    noticed: outcomes.length - survivors.length,
    survivors,
  };
}

const digestOf = (file: string): string =>
  createHash("sha256")
    .update(readFileSync(join(ROOT, file)))
    .digest("hex")
    .slice(0, 16);

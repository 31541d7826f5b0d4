/** The whole result of a run, as it is written to JSON. */
import type { Machine } from "../rig/machine.ts";
import type { Extent, Measurement } from "./measurement.ts";

/** A suite that did not run, or broke. */
export interface Left {
  readonly suite: string;
  readonly why: string;
}

export interface Results {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly extent: Extent;
  /** Seconds that each suite took. */
  readonly took: Readonly<Record<string, number>>;
  readonly measurements: readonly Measurement[];
  /** Suites that lack a Debian package. */
  readonly skipped: readonly Left[];
  readonly broken: readonly Left[];
  /** Suites that were measured in a later run than the others, and the system of that machine if it was another one. */
  readonly later?: Readonly<Record<string, Pick<Results, "date" | "extent"> & { readonly system?: string }>>;
}

export const toJson = (results: Results): string => `${JSON.stringify(results, null, 2)}\n`;

/** @throws Error if the text is not the result of a run */
export function fromJson(text: string): Results {
  const results = JSON.parse(text) as Partial<Results> | null;
  if (!Array.isArray(results?.measurements) || results.machine === undefined) {
    throw new Error(
      "this JSON is not a result of the benchmark: write one with npm run bench -- --json FILE",
    );
  }
  return results as Results;
}

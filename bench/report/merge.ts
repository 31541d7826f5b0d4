/** Puts a run of some suites into the recorded results. */
import type { Machine } from "../rig/machine.ts";
import type { Measurement } from "./measurement.ts";
import type { Results } from "./results.ts";

/** The suite that a measurement is of: the first part of its id. */
export const suiteOf = ({ id }: Pick<Measurement, "id">): string => id.split(".", 1)[0] as string;

/**
 * Replaces the suites of a run in the recorded results. Each comparison is of one run, so the others still hold.
 *
 * @param order names of all suites, in the order in which they are shown
 * @throws Error if the run may not be recorded: it was quick, of another kind of machine, or did not measure all of its suites
 */
export function merge(recorded: Results, run: Results, order: readonly string[]): Results {
  if (run.extent.isQuick) throw new Error("a quick run is too short to be recorded: leave out --quick");
  if (!isOfKind(recorded.machine, run.machine))
    throw new Error(
      "the recorded results are of another kind of machine: record a whole run, without --only",
    );
  const [failed] = [...run.broken, ...run.skipped];
  if (failed !== undefined)
    throw new Error(`nothing is recorded: ${failed.suite} was not measured (${failed.why})`);
  const isNew = (suite: string): boolean => suite in run.took;
  const kept = recorded.measurements.filter((each) => !isNew(suiteOf(each)));
  const place = (each: Measurement): number => order.indexOf(suiteOf(each));
  const { date, extent, machine } = run;
  const isSameSystem = machine.system === recorded.machine.system;
  const later = { date, extent, ...(isSameSystem ? {} : { system: machine.system }) };
  return {
    ...recorded,
    took: { ...recorded.took, ...run.took },
    measurements: [...kept, ...run.measurements].sort((a, b) => place(a) - place(b)),
    skipped: recorded.skipped.filter(({ suite }) => !isNew(suite)),
    broken: recorded.broken.filter(({ suite }) => !isNew(suite)),
    later: {
      ...recorded.later,
      ...Object.fromEntries(Object.keys(run.took).map((suite) => [suite, later])),
    },
  };
}

/** Whether two machines differ in nothing but their kernel and what memory it leaves: suites compare within a run. */
function isOfKind(recorded: Machine, { system, memoryBytes, ...kind }: Machine): boolean {
  const isNear = Math.abs(memoryBytes - recorded.memoryBytes) < recorded.memoryBytes / 100;
  return isNear && Object.entries(kind).every(([name, value]) => recorded[name as keyof Machine] === value);
}

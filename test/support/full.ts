/** Whether CI runs the tests, or somebody who asked for all of them. */
export const isFull = ({ ROLLCALL_FULL, CI }: NodeJS.ProcessEnv): boolean =>
  (ROLLCALL_FULL ?? (CI === "true" ? "1" : "0")) === "1";

/**
 * Whether everything is tried. Without, a test that repeats much tries a part, and a test that takes long is skipped where a
 * smaller one of the same rule remains.
 */
export const FULL = isFull(process.env);

/** Why something is skipped, or null. */
export const ONLY_FULL = FULL ? null : "only in CI, or with ROLLCALL_FULL=1";

/** The title of what `runIf(FULL)` leaves out: `test/skipped.ts` names it among what was skipped, and why. */
export const ifFull = (title: string): string => (ONLY_FULL === null ? title : `${title} (${ONLY_FULL})`);

/**
 * Whether everything is tried, as CI does (`.ci/run`). Without, a test that repeats much tries a part, and a test that builds
 * whole systems is skipped where smaller ones of the same remain.
 */
export const FULL = process.env.ROLLCALL_FULL === "1";

/** Why something is skipped, or null. */
export const ONLY_FULL = FULL ? null : "only with ROLLCALL_FULL=1";

/** What is wrong with a deployment, and how its lists stand. */
export * from "./deployment.ts";
export * from "./lists.ts";
export { examineMailHost } from "./mail-host/examine.ts";
export type * from "./mail-host/ports.ts";
export { Problem } from "./problem.ts";
export type { StepResult } from "./steps.ts";

/** What is wrong with a deployment, and how its lists stand. */
export * from "./deployment.ts";
export * from "./lists.ts";
export { Problem } from "./problem.ts";

/** What the edge makes a Registry from, and how it asks one. */
export { PatchQueue } from "./changes/patch-queue.ts";
export { FairQueue } from "./commits/fair-queue.ts";
export { summaryOf } from "./generations/summaries.ts";
export { Counters } from "./log/counters.ts";
export { RegistryCore } from "./object/registry.ts";
export * from "./ports.ts";
export * from "./protocol.ts";
export { migrate } from "./storage/schema.ts";

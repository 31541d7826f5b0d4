/** The public face of publishing. */
export * from "./bulk.ts";
export * from "./errors.ts";
export * from "./export.ts";
export * from "./judge.ts";
export * from "./list.ts";
export * from "./list-store.ts";
export { emptyList, type PackedList } from "./pack.ts";
export * from "./plan.ts";
export * from "./upload.ts";

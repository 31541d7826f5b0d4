/** The public interface of publishing: {@link publishLists} is the whole workflow. */
export * from "./bulk.ts";
export * from "./commit-body.ts";
export * from "./domain-key.ts";
export * from "./errors.ts";
export * from "./export.ts";
export * from "./judge.ts";
export * from "./list.ts";
export * from "./list-recorder.ts";
export * from "./list-store.ts";
export { emptyList, type PackedList } from "./pack.ts";
export * from "./plan.ts";
export * from "./plan-file.ts";
export * from "./plan-list.ts";
export * from "./publish-plan.ts";
export * from "./sources/index.ts";
export * from "./upload.ts";
export * from "./upload-size.ts";
export * from "./workflow.ts";

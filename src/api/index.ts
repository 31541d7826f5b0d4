/**
 * The HTTP contract between the edge and its clients. Each message is a schema, from which its type, its check and its
 * description in OpenAPI derive. docs/api.md says what they mean.
 */
export * from "./answers/index.ts";
export * from "./changes.ts";
export * from "./checks.ts";
export * from "./commits.ts";
export * from "./errors.ts";
export * from "./hook-registration.ts";
export * from "./hooks.ts";
export * from "./limits.ts";
export * from "./log.ts";
export * from "./mailboxes.ts";
export * from "./restored.ts";
export * from "./routes.ts";
export { type Infer, open, read, type Schema, texts } from "./schema.ts";
export * from "./tokens.ts";
export * from "./verify.ts";
export * from "./version.ts";

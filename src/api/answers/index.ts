/** What the edge answers. Clients check it; the edge itself needs only the types. */
export * from "./changes.ts";
export * from "./checks.ts";
export * from "./commits.ts";
export * from "./domains.ts";
export * from "./errors.ts";
export type { HookAnswer, HookDeregistration, HookDiscovery, HookRegistration } from "./hooks.ts";
export * from "./status.ts";
export * from "./table.ts";
export * from "./tokens.ts";

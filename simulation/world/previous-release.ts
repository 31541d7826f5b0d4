/** The release before this one: it asks without what has come since, and does not hear of it either. */
import type { Question } from "../../src/api/log.ts";
import type { RegistryApi } from "../../src/registry/protocol.ts";

/** The same call where either side is of the release before: nobody has heard of a limit to what is listed. */
export function asPreviousRelease(method: keyof RegistryApi, args: readonly unknown[]): readonly unknown[] {
  if (method !== "question") return args;
  const { most: _, ...question } = args[0] as Question;
  return [question, ...args.slice(1)];
}

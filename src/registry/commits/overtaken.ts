import { RegistryFailure } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";

/** A domain of a commit or a plan, with the generation that it was planned against. */
export interface Planned {
  readonly domain: string;
  readonly expect: number | null;
}

/** Whether a commit or a plan failed because single changes, and nothing else, moved the head of one of its domains. */
export function isOvertaken(storage: RegistryStorage, planned: readonly Planned[], error: unknown): boolean {
  if (!(error instanceof RegistryFailure) || error.error.code !== "conflict") return false;
  const late = planned.find(({ domain }) => domain === error.error.domain);
  if (late === undefined || late.expect === null) return false;
  const since = storage.sql(
    "SELECT DISTINCT action FROM generations WHERE domain = ? AND number > ?",
    late.domain,
    late.expect,
  );
  return since.length > 0 && since.every(({ action }) => action === "patch");
}

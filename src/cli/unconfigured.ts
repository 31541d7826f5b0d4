import type { RollcallClient } from "../client/index.ts";
import type { Output } from "./output.ts";
import type { Settings } from "./settings.ts";

/** Domains that the edge serves under this token, and that rollcall.toml does not name. They are never deleted. */
export async function unconfiguredDomains(
  client: Pick<RollcallClient, "domains">,
  settings: Settings | null,
): Promise<string[]> {
  if (settings === null) return [];
  const configured = new Set(settings.domains.map(({ domain }) => domain));
  const served = await client.domains();
  return served
    .filter(({ domain, deleted_until: deleted }) => deleted === null && !configured.has(domain))
    .map(({ domain }) => domain)
    .sort();
}

/** Domains that a message names; the others are counted. */
const SHOWN = 10;

export function warnOfUnconfigured(
  output: Output,
  domains: readonly string[],
  settings: Settings | null,
): void {
  if (domains.length === 0) return;
  const more = domains.length > SHOWN ? ` and ${domains.length - SHOWN} more` : "";
  output.warn(
    `the edge serves ${domains.slice(0, SHOWN).join(", ")}${more}, which ${settings?.file} does not name; ` +
      "such a list stays as it is: add the domain to the file, or delete it with `rollcall delete`",
  );
}

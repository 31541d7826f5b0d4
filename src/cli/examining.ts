import type { FaultKind } from "../api/contract.ts";
import type { RollcallClient } from "../client/index.ts";
import { OTHER_KEY_STEPS } from "../publish/index.ts";

/** What is wrong with a deployment, found by a step of `rollcall doctor`. */
export class StepFailure extends Error {
  /** What to do. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Whether every list was made under the edge's own key: of another one's, every check is deferred (law 5). */
export async function examineKeys(client: RollcallClient): Promise<string> {
  const domains = (await client.domains()).filter((each) => each.deleted_until === null);
  const foreign = domains.filter((each) => each.key_fits === false).map(({ domain }) => domain);
  if (foreign.length === 0) return `every list is under the edge's key (${domains.length})`;
  throw new StepFailure(
    `made under another key than the edge's, so that every check is deferred: ${some(foreign)}`,
    OTHER_KEY_STEPS,
  );
}

/** Whether the edge accepts every token that was made and neither revoked nor expired. */
export async function examineTokens(client: RollcallClient, now: number): Promise<string> {
  const tokens = await client.tokens();
  const live = tokens.filter(({ revoked, expires }) => revoked === null && (expires ?? now + 1) > now);
  const dead = live.filter((each) => each.key_fits === false).map(({ id }) => id);
  if (dead.length === 0) return `none is of another master key (${live.length})`;
  throw new StepFailure(
    `made under another master key, and no longer accepted: ${some(dead)}`,
    "make new tokens with `rollcall token create`, and revoke these; or put the old master key back",
  );
}

/** Faults that no other step finds, and that do not end by themselves. */
const LASTING: readonly FaultKind[] = [
  "canonicaliser_mismatch",
  "damaged_manifest",
  "damaged_blob",
  "missing_blob",
  "damaged_roster",
  "internal_error",
];

/** Whether checks met a fault within the last hour, as far as isolates told of it. */
export async function examineFaults(client: RollcallClient): Promise<string> {
  const faults = (await client.status()).faults.filter(({ hour }) => hour > 0);
  const shown = some(
    faults.map(({ kind, domain, hour }) => `${kind}${domain === null ? "" : ` of ${domain}`} (${hour})`),
  );
  if (faults.every(({ kind }) => !LASTING.includes(kind))) {
    return faults.length === 0 ? "none within the last hour" : `within the last hour: ${shown}`;
  }
  throw new StepFailure(
    `within the last hour: ${shown}`,
    "parts that are damaged or missing in KV are put there again from the Registry within minutes, and this line goes " +
      "within an hour. If it stays, `npx wrangler tail` shows each fault with its place: what is damaged in the " +
      "Registry comes back with an earlier state of its storage",
  );
}

/** Names, as many as a person reads. */
const some = (names: readonly string[]): string =>
  names.length <= 10 ? names.join(", ") : `${names.slice(0, 10).join(", ")} and ${names.length - 10} more`;

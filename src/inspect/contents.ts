/** Examines what a deployment holds: the keys of its lists and tokens, and the faults that checks met. */
import type { FaultKind } from "../api/index.ts";
import type { RollcallClient } from "../client/index.ts";
import { OTHER_KEY_STEPS } from "../publish/index.ts";
import { Problem, some } from "./problem.ts";

/** Whether every list was made under the edge's own key. Every check of one that was not is deferred (law 5). */
export async function examineKeys(client: RollcallClient): Promise<string> {
  const domains = (await client.domains()).filter((each) => each.deleted_until === null);
  const foreign = domains.filter((each) => each.key_fits === false).map(({ domain }) => domain);
  if (foreign.length === 0) return `every list is under the edge's key (${domains.length})`;
  throw new Problem(
    `made under another key than the edge's, so every check is deferred: ${some(foreign)}`,
    OTHER_KEY_STEPS,
  );
}

/** Whether every head that the Registry has is what was committed, with all of its parts. */
export async function examineHeads(client: RollcallClient): Promise<string> {
  let heads = 0;
  const damaged: string[] = [];
  for (const { partition } of (await client.registry()).partitions) {
    for (let after: string | null = null; ; ) {
      const step = await client.verifyRegistry({ partition, after });
      heads += step.heads;
      damaged.push(...step.damaged.map(({ detail }) => detail));
      if (step.next === null) break;
      after = step.next;
    }
  }
  const lists = new Set(damaged);
  if (lists.size === 0) return `every list and its parts are as they were committed (${heads})`;
  throw new Problem(
    `damaged in the Registry: ${some([...lists])}`,
    "see docs/restoring.md#a-damaged-list: restore an older list with `rollcall rollback DOMAIN`, or publish with --force",
  );
}

/** Whether the edge accepts every token that is neither revoked nor expired. */
export async function examineTokens(client: RollcallClient, now: number): Promise<string> {
  const tokens = await client.tokens();
  const live = tokens.filter(({ revoked, expires }) => revoked === null && (expires ?? now + 1) > now);
  const dead = live.filter((each) => each.key_fits === false).map(({ id }) => id);
  if (dead.length === 0) return `every token is under the edge's key (${live.length})`;
  throw new Problem(
    `made under another master key, and no longer accepted: ${some(dead)}`,
    "create new tokens with `rollcall token create` and revoke these, or put the old master key back",
  );
}

/** Whether the brake holds names that left: a person has to say whether they did. */
export async function examineBrakes(client: RollcallClient): Promise<string> {
  const braked = (await client.domains()).filter(({ brake }) => brake?.held);
  if (braked.length === 0) return "holds no names that left";
  throw new Problem(
    `holds names that left, since so many of them are asked for: ${some(
      braked.map(({ domain, brake }) => `${brake?.held} of ${domain}`),
    )}`,
    "`rollcall brake DOMAIN` shows why. If they were removed by mistake, run `rollcall rollback DOMAIN`; if they are meant to go, `rollcall brake DOMAIN --release`",
  );
}

/** How many lists are compared with KV: those that changed last. */
const COMPARED = 20;

/**
 * Whether KV has a generation that the Registry does not know. Then the Registry's storage was restored to an earlier
 * time, and the next commits get numbers that were given before.
 */
export async function examineNumbers(client: RollcallClient): Promise<string> {
  // Of a damaged list only its fault is known.
  const domains = await client.domains();
  const live = domains.filter((each) => each.deleted_until === null && !each.fault);
  const newest = live.sort((a, b) => b.time - a.time).slice(0, COMPARED);
  const ahead: string[] = [];
  for (const { domain } of newest) {
    if ((await client.domain(domain))?.kv.state === "ahead") ahead.push(domain);
  }
  if (ahead.length === 0)
    return `KV has no list that is newer than the Registry's (${newest.length} compared)`;
  throw new Problem(
    `KV has a newer list than the Registry, whose storage was restored to an earlier time: ${some(ahead)}`,
    "publish nothing, and pause the Registry: docs/restoring.md has the steps",
  );
}

const REPLACE_REGISTRY =
  "publish nothing, and replace the Registry: docs/deploying.md#when-a-registry-is-lost has the steps";

/** Faults that no other step finds and that do not go away by themselves. */
const LASTING: readonly FaultKind[] = [
  "canonicaliser_mismatch",
  "damaged_manifest",
  "damaged_blob",
  "missing_blob",
  "lost_head",
  "damaged_roster",
  "internal_error",
];

/** Whether checks met a fault within the last hour, as far as isolates reported it. */
export async function examineFaults(client: RollcallClient): Promise<string> {
  const faults = (await client.status()).faults.filter(({ hour }) => hour > 0);
  const shown = some(
    faults.map(({ kind, domain, hour }) => `${kind}${domain === null ? "" : ` of ${domain}`} (${hour})`),
  );
  if (faults.every(({ kind }) => !LASTING.includes(kind))) {
    return faults.length === 0 ? "none within the last hour" : `within the last hour: ${shown}`;
  }
  throw new Problem(
    `within the last hour: ${shown}`,
    "the Registry replaces damaged or missing parts in KV within minutes; this line then disappears within an hour. " +
      "If it stays, run `npx wrangler tail`: it shows where each fault is. For damage in the Registry itself, " +
      REPLACE_REGISTRY,
  );
}

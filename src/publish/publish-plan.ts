/** Publishes exactly what a plan in a file says. */

import { type Base, baseOf } from "./base.ts";
import { fetchKey } from "./domain-key.ts";
import { PublishError } from "./errors.ts";
import { isHead } from "./plan.ts";
import { PLAN_AGAIN, type PlanFile, type StoredPlan } from "./plan-file.ts";
import type { PlannedList } from "./plan-list.ts";
import { type PublishOptions, type PublishPorts, type PublishResult, publishPlanned } from "./workflow.ts";

export interface PlanFileOptions extends Pick<PublishOptions, "force" | "note" | "dryRun"> {
  /** Origin of the edge that is published to. */
  readonly edge: string;
  /** The file as messages name it. */
  readonly shown: string;
}

/**
 * Publishes the plans of a file, as they are. Domains whose head is what the plan makes of it already are left alone, so
 * that an interrupted publish can be run again.
 *
 * @throws PublishError `input` if the plan was made for another edge or key, `conflict` if a head has moved since
 */
export async function publishPlanFile(
  ports: PublishPorts,
  { edge: made, domains }: PlanFile,
  { edge, shown, ...options }: PlanFileOptions,
): Promise<PublishResult> {
  if (made !== edge) {
    throw new PublishError(
      "input",
      `${shown} was made for ${made}, and this publishes to ${edge}`,
      "name that edge with --url, or make a new plan with `rollcall plan --out FILE`; nothing was changed",
    );
  }
  const planned: PlannedList[] = [];
  for (const stored of domains) planned.push(await planOf(ports, stored, shown));
  for (const list of planned) {
    ports.recorder?.read(list.plan);
    ports.progress.planned?.(list);
  }
  return publishPlanned(ports, planned, options);
}

async function planOf(
  { client, hashing }: Pick<PublishPorts, "client" | "hashing">,
  stored: StoredPlan,
  shown: string,
): Promise<PlannedList> {
  const { domain, keyId, expect } = stored;
  const [{ key }, head] = await Promise.all([fetchKey(client, hashing, domain), client.domain(domain)]);
  if (key.id !== keyId) {
    throw new PublishError(
      "input",
      `${shown}: ${domain} has another key than when the plan was made`,
      PLAN_AGAIN,
    );
  }
  const base: Base | null = head && baseOf(head, (id) => client.blob(domain, id));
  const list = stored.planned(key, base);
  const { plan } = list;
  const after = { key, packed: plan.packed, policy: plan.resultingPolicy, mode: plan.resultingMode };
  const isToSettle = base?.generation === expect && plan.patched?.settles === true;
  // An earlier run of the same plan published this domain.
  if (base !== null && isHead(base, after) && !isToSettle) {
    return {
      ...list,
      plan: { ...plan, unchanged: true, refusal: null, shrunk: [], expect: base.generation },
    };
  }
  if ((base?.generation ?? null) === expect) return list;
  const from = expect === null ? "no list" : `generation ${expect}`;
  const to = base === null ? "no list" : `generation ${base.generation}`;
  throw new PublishError(
    "conflict",
    `${shown}: the plan for ${domain} starts from ${from}, and the edge now has ${to}`,
    PLAN_AGAIN,
  );
}

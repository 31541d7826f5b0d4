import { ClientError, type RollcallClient } from "../client/index.ts";
import { baseOf } from "./base.ts";
import { judgePlan } from "./judge.ts";
import { type DomainPlan, planDomain } from "./plan.ts";

/**
 * Plans the same lists against the present heads, if only single changes were made since they were planned, and what the
 * brake did. What was uploaded is used again.
 * @returns null if a head has moved in another way, no head has moved, or a plan cannot be made again; the same plans if a
 * head moves meanwhile, since their commit meets the conflict again
 */
export async function rebase(
  client: RollcallClient,
  plans: readonly DomainPlan[],
): Promise<readonly DomainPlan[] | null> {
  try {
    return await planAgain(client, plans);
  } catch (error) {
    if (isConflict(error)) return plans;
    throw error;
  }
}

async function planAgain(
  client: RollcallClient,
  plans: readonly DomainPlan[],
): Promise<readonly DomainPlan[] | null> {
  const rebased: DomainPlan[] = [];
  let hasMoved = false;
  for (const plan of plans) {
    const head = await client.domain(plan.domain);
    if ((head?.generation ?? null) === plan.expect) {
      rebased.push(plan);
      continue;
    }
    // A plan from a file is published exactly as it is.
    if (plan.listed === null || head === null || plan.expect === null) return null;
    if (!(await isPatched(client, plan.domain, plan.expect))) return null;
    const base = baseOf(head, (id) => client.blob(plan.domain, id));
    rebased.push(await judgePlan(client, await planDomain({ ...plan, packed: plan.listed }, base)));
    hasMoved = true;
  }
  return hasMoved ? rebased : null;
}

async function isPatched(client: RollcallClient, domain: string, since: number): Promise<boolean> {
  const later = (await client.generations(domain)).filter(({ generation }) => generation > since);
  return later.every(({ action }) => KEEPING.has(action));
}

/** What changes a list by single names, or not at all. */
const KEEPING: ReadonlySet<string> = new Set(["patch", "brake", "release"]);

/** Whether a commit came too late for the heads that it was planned against. */
export const isConflict = (error: unknown): boolean =>
  error instanceof ClientError && (error.code === "conflict" || error.code === "patched_names");

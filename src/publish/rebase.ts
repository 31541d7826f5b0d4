/** Plans again while single changes and the brake move the heads. */
import { ClientError, type RollcallClient } from "../client/index.ts";
import { messageOf } from "../runtime/message-of.ts";
import { baseOf } from "./base.ts";
import { PublishError } from "./errors.ts";
import { judgePlan } from "./judge.ts";
import { type DomainPlan, planDomain } from "./plan.ts";

/** How often plans are made again for heads that single changes moved. */
const REBASES = 20;

/**
 * Does work with plans. If it meets a head that only single changes and the brake moved, the same lists are planned against
 * the present heads, and it begins again. What was uploaded is used again.
 * @param accept throws if plans that were made again may not take the place of the others; it gets the conflict, too
 * @throws the conflict, if a head moved in another way, or a plan cannot be made again
 * @throws PublishError `conflict` if single changes moved the heads each time
 */
export async function withMovingHeads<T>(
  client: RollcallClient,
  plans: readonly DomainPlan[],
  work: (plans: readonly DomainPlan[]) => Promise<T>,
  accept: (again: readonly DomainPlan[], conflict: unknown) => void = () => undefined,
): Promise<T> {
  let present = plans;
  for (let round = 0; ; round++) {
    try {
      return await work(present);
    } catch (error) {
      const again = isConflict(error) ? await rebase(client, present) : null;
      if (again === null) throw error;
      if (round === REBASES) throw overtaken(error);
      accept(again, error);
      present = again;
    }
  }
}

/** The edge lets single changes wait for a publish, for a second. Who needs longer to plan again may come too late each time. */
const overtaken = (conflict: unknown): PublishError =>
  new PublishError(
    "conflict",
    `single changes came first, ${REBASES + 1} times in a row: ${messageOf(conflict)}; nothing was published`,
    "run the command again. Single changes wait a second for a publish that they overtook; if this stays, publish from a host that is nearer to the edge, or pause the single changes",
  );

/**
 * Plans the same lists against the present heads.
 * @returns null if a head has moved in another way, no head has moved, or a plan cannot be made again; the same plans if a
 * head moves meanwhile, since the work meets the conflict again
 */
async function rebase(
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
  return (await client.generations(domain, since)).every(({ action }) => KEEPING.has(action));
}

/** What changes a list by single names, or not at all. */
const KEEPING: ReadonlySet<string> = new Set(["patch", "mode", "brake", "release"]);

/** Whether a commit came too late for the heads that it was planned against. */
const isConflict = (error: unknown): boolean =>
  error instanceof ClientError && (error.code === "conflict" || error.code === "patched_names");

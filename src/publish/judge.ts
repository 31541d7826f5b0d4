/** Asks the edge for the guard's judgement of a plan: only the edge knows every list of the last day. */
import type { RollcallClient } from "../client/index.ts";
import { acceptedCount, canonicaliserOf, encodeTails, toBase64Url } from "../directory/index.ts";
import type { DomainPlan, GuardNames } from "./plan.ts";

/**
 * Adds the guard's judgement to a plan. If too many names change to be sent, the plan stays as it is, with a warning.
 *
 * @throws ClientError of code `conflict` if the head has moved since it was read
 */
export async function judgePlan(client: Pick<RollcallClient, "plan">, plan: DomainPlan): Promise<DomainPlan> {
  const { domain, expect, guardNames } = plan;
  const { patterns } = plan.packed;
  // For a new domain or an unchanged list, the judgement depends only on what is known here.
  if (plan.unchanged || expect === null) return plan;
  if (guardNames === null) {
    const why = "too many names change to ask the guard beforehand";
    const warning = `${why}: it compared with the head alone, so the commit may still be refused`;
    return { ...plan, warnings: [...plan.warnings, warning] };
  }
  const { refusals } = await client.plan({
    domains: [
      {
        domain,
        expect,
        key_id: plan.key.id,
        canonicaliser: canonicaliserOf(patterns),
        ...(patterns === null ? {} : { patterns: toBase64Url(patterns) }),
        policy: plan.policy,
        accepted: acceptedCount(plan.packed.counts),
        names: encodeNames(guardNames),
        ...(plan.hidden === 0 ? {} : { hidden: plan.hidden }),
      },
    ],
  });
  return { ...plan, refusal: refusals[domain] ?? null };
}

const encode = (tails: Float64Array): string => toBase64Url(encodeTails(tails));

const encodeNames = (names: GuardNames) =>
  "accepted" in names
    ? { accepted: encode(names.accepted) }
    : { gone: encode(names.gone), back: encode(names.back) };

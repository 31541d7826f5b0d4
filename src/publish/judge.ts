/** The guard's judgement of a plan, asked from the edge, which knows every list of the last day. */
import { ClientError, type RollcallClient } from "../client/index.ts";
import { acceptedCount, CANONICALISER_VERSION, encodeTails, toBase64Url } from "../directory/index.ts";
import type { DomainPlan, GuardNames } from "./plan.ts";

/**
 * The plan with the edge's word on what the guard would say. Without one, from an edge of an earlier release or where
 * too many names change to be sent, the plan stays as it is, with a warning.
 *
 * @throws ClientError of code `conflict` where the head has moved since it was read
 */
export async function judgePlan(client: Pick<RollcallClient, "plan">, plan: DomainPlan): Promise<DomainPlan> {
  const { domain, expect, guardNames } = plan;
  // What nothing was before, and what changes nothing, the guard lets through or refuses for reasons that are known here.
  if (plan.unchanged || expect === null) return plan;
  if (guardNames === null) return unjudged(plan, "too many names change to ask the guard beforehand");
  try {
    const { refusals } = await client.plan({
      domains: [
        {
          domain,
          expect,
          key_id: plan.key.id,
          canonicaliser: CANONICALISER_VERSION,
          policy: plan.policy,
          accepted: acceptedCount(plan.packed.counts),
          names: encodeNames(guardNames),
        },
      ],
    });
    return { ...plan, refusal: refusals[domain] ?? null };
  } catch (error) {
    const code = error instanceof ClientError ? error.code : null;
    if (code !== "not_found" && code !== "method_not_allowed") throw error;
    return unjudged(
      plan,
      "the edge is of an earlier release, which cannot be asked what its guard would say",
    );
  }
}

const unjudged = (plan: DomainPlan, why: string): DomainPlan => ({
  ...plan,
  warnings: [
    ...plan.warnings,
    `${why}: the guard was judged against the head alone, and the commit may differ`,
  ],
});

const encode = (tails: Float64Array): string => toBase64Url(encodeTails(tails));

const encodeNames = (names: GuardNames) =>
  "accepted" in names
    ? { accepted: encode(names.accepted) }
    : { gone: encode(names.gone), back: encode(names.back) };

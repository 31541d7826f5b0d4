/** Asks the edge for the guard's judgement of a plan: only the edge knows every list of the last day. */
import { ClientError, type RollcallClient } from "../client/index.ts";
import { acceptedCount, canonicaliserOf, encodeTails, toBase64Url } from "../directory/index.ts";
import type { DomainPlan, GuardNames } from "./plan.ts";

/**
 * Adds the guard's judgement to a plan. If the edge cannot judge it, because it is an earlier release or too many names
 * change to be sent, the plan stays as it is, with a warning.
 *
 * @throws ClientError of code `conflict` if the head has moved since it was read
 */
export async function judgePlan(client: Pick<RollcallClient, "plan">, plan: DomainPlan): Promise<DomainPlan> {
  const { domain, expect, guardNames } = plan;
  const { patterns } = plan.packed;
  // For a new domain or an unchanged list, the judgement depends only on what is known here.
  if (plan.unchanged || expect === null) return plan;
  if (guardNames === null) return unjudged(plan, "too many names change to ask the guard beforehand");
  try {
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
  } catch (error) {
    const code = error instanceof ClientError ? error.code : null;
    if (code !== "not_found" && code !== "method_not_allowed") throw error;
    return unjudged(plan, "the edge is an earlier release, which cannot judge a plan");
  }
}

const unjudged = (plan: DomainPlan, why: string): DomainPlan => ({
  ...plan,
  warnings: [
    ...plan.warnings,
    `${why}: the guard compared with the head alone, so the commit may still be refused`,
  ],
});

const encode = (tails: Float64Array): string => toBase64Url(encodeTails(tails));

const encodeNames = (names: GuardNames) =>
  "accepted" in names
    ? { accepted: encode(names.accepted) }
    : { gone: encode(names.gone), back: encode(names.back) };

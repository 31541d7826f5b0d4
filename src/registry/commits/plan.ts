/** What the guard would say of a commit whose shards were not put: from the names that change alone. */
import type { PlannedDomain, PlannedNames, PlanRequest, PlanResult } from "../../api/index.ts";
import { DirectoryError, nameChangesTo, readTails, type Steps } from "../../directory/index.ts";
import { badRequest } from "../failure.ts";
import type { Records } from "../generations/records.ts";
import { listOf } from "../names/compute-departures.ts";
import { type GuardContext, judge, knownChanges, type Successor } from "../names/guard.ts";
import type { Reach } from "../protocol.ts";
import { requireReach } from "../reach.ts";
import { getMeta } from "../storage/meta.ts";
import { patternsIn, policyAfter, requireHead } from "./validate-commit.ts";

/** Names that one domain of a plan counts for, however few it has. */
const DOMAIN_NAMES = 1_000;

/** What judging a commit takes. */
export interface PlanContext extends GuardContext {
  readonly reach: Reach;
}

/** Names of a plan that are looked at before questions get their turn: 1 ms of work. */
export const PLANNED_IN_A_ROW = 4_096;

/** Octets of the names of a plan. */
export const octetsOf = ({ domains }: PlanRequest): number =>
  domains.reduce(
    (sum, { names }) =>
      sum + ("accepted" in names ? names.accepted.length : names.gone.length + names.back.length),
    0,
  );

/**
 * Judges a plan as its commit would be judged, and changes nothing. It can name as many as 2 million, so it is judged step by
 * step; nothing that it was judged by has changed if the heads are still the same in the end.
 * @throws RegistryFailure `conflict`, `forbidden` or `bad_request`
 */
export function* plan(context: PlanContext, { domains }: PlanRequest): Steps<PlanResult> {
  const generation = (getMeta(context.storage, "number") ?? 0) + 1;
  const refusals: [string, string | null][] = [];
  const requireHeads = (): void => {
    for (const { domain, expect } of domains) requireHead(domain, context.records.head(domain), expect);
  };
  requireHeads();
  for (const each of domains) {
    yield DOMAIN_NAMES;
    refusals.push([each.domain, yield* refusalOf(context, each, generation)]);
  }
  requireHeads();
  return { refusals: Object.fromEntries(refusals) };
}

function* refusalOf(context: PlanContext, planned: PlannedDomain, generation: number): Steps<string | null> {
  const { records } = context;
  const { domain, accepted, key_id: keyId, names, hidden } = planned;
  const head = records.head(domain);
  const patterns = patternsIn(planned);
  const changesFrom = yield* readNames(records, domain, names, hidden);
  const policy = policyAfter(domain, head, planned.policy);
  requireReach(context.reach, domain, policy);
  const successor = { domain, head, policy, keyId, accepted, patterns, changesFrom };
  return (yield* judge(context, successor, generation, false)).refusal;
}

/** Decodes the names of a plan, whether the guard compares them or not. @throws RegistryFailure `bad_request` */
function* readNames(
  records: Records,
  domain: string,
  names: PlannedNames,
  hidden = 0,
): Steps<Successor["changesFrom"]> {
  try {
    if ("accepted" in names) {
      const accepted = yield* readTails(names.accepted);
      return (newest) => nameChangesTo(listOf(records, domain, newest.shards), accepted);
    }
    const gone = yield* readTails(names.gone);
    return knownChanges({ gone, back: yield* readTails(names.back), uncounted: 0, hidden });
  } catch (error) {
    throw error instanceof DirectoryError ? badRequest(domain, error.message) : error;
  }
}

/** What the guard would say of a commit whose shards were not put: from the names that change alone. */
import type { PlannedDomain, PlannedNames, PlanRequest, PlanResult } from "../api/contract.ts";
import {
  CANONICALISER_VERSION,
  DirectoryError,
  decodeTails,
  fromBase64Url,
  nameChangesTo,
} from "../directory/index.ts";
import type { CommitContext } from "./commit.ts";
import { listOf } from "./compute-departures.ts";
import { failure } from "./failure.ts";
import { judge, type Successor } from "./guard.ts";
import type { Records } from "./records.ts";
import { getMeta } from "./schema.ts";
import { policyAfter, requireHead } from "./validate-commit.ts";

/**
 * Judges a plan as its commit would be judged. To be called inside a transaction that is not kept.
 * @throws RegistryFailure `conflict` or `bad_request`
 */
export function plan(context: CommitContext, request: PlanRequest): PlanResult {
  const generation = (getMeta(context.storage, "number") ?? 0) + 1;
  const refusals = request.domains.map(
    (each) => [each.domain, refusalOf(context, each, generation)] as const,
  );
  return { refusals: Object.fromEntries(refusals) };
}

function refusalOf(context: CommitContext, planned: PlannedDomain, generation: number): string | null {
  const { records } = context;
  const { domain, accepted } = planned;
  const bad = (message: string): Error => failure("bad_request", `${domain}: ${message}`, { domain });
  const head = records.head(domain);
  requireHead(domain, head, planned.expect);
  if (planned.canonicaliser !== CANONICALISER_VERSION) {
    throw bad(
      `planned under canonicaliser ${planned.canonicaliser}, the edge has ${CANONICALISER_VERSION}; use the same release`,
    );
  }
  const changesFrom = changesOf(records, domain, planned.names, bad);
  const successor = {
    domain,
    head,
    policy: policyAfter(head, planned.policy, bad),
    keyId: planned.key_id,
    accepted,
    changesFrom,
  };
  return judge(context, successor, generation, false);
}

/** Reads the names of a plan, whether they will be compared or not. */
function changesOf(
  records: Records,
  domain: string,
  names: PlannedNames,
  bad: (message: string) => Error,
): Successor["changesFrom"] {
  try {
    if ("accepted" in names) {
      const accepted = tailsFrom(names.accepted);
      return (newest) => nameChangesTo(listOf(records, domain, newest.shards), accepted);
    }
    const changes = { gone: tailsFrom(names.gone), back: tailsFrom(names.back), uncounted: 0 };
    return () => changes;
  } catch (error) {
    throw error instanceof DirectoryError ? bad(error.message) : error;
  }
}

const tailsFrom = (text: string): Float64Array => decodeTails(fromBase64Url(text));

/** What the guard would say of a commit whose shards were not put: from the names that change alone. */
import type { PlannedDomain, PlannedNames, PlanRequest, PlanResult } from "../api/index.ts";
import { decodeTails, fromBase64Url, nameChangesTo } from "../directory/index.ts";
import { listOf } from "./compute-departures.ts";
import { readRequest } from "./failure.ts";
import { type GuardContext, judge, type Successor } from "./guard.ts";
import { getMeta } from "./meta.ts";
import type { RegistryStorage } from "./ports.ts";
import type { Reach } from "./protocol.ts";
import { requireReach } from "./reach.ts";
import type { Records } from "./records.ts";
import { patternsIn, policyAfter, requireHead } from "./validate-commit.ts";

/** What judging a commit takes. */
export interface PlanContext extends GuardContext {
  readonly reach: Reach;
}

/**
 * Judges a plan as its commit would be judged, and changes nothing.
 * @throws RegistryFailure `conflict`, `forbidden` or `bad_request`
 */
export function plan(context: PlanContext, { domains }: PlanRequest): PlanResult {
  const { storage } = context;
  const generation = (getMeta(storage, "number") ?? 0) + 1;
  const refusals = withoutKeeping(storage, () =>
    domains.map((each) => [each.domain, refusalOf(context, each, generation)] as const),
  );
  return { refusals: Object.fromEntries(refusals) };
}

/** Carries the result of a transaction out of it, and rolls it back. */
class RolledBack<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super();
    this.result = result;
  }
}

/** Runs `work` in a transaction that is rolled back: the guard writes what it judges into its ledger. */
export function withoutKeeping<T>(storage: RegistryStorage, work: () => T): T {
  try {
    return storage.transaction((): never => {
      throw new RolledBack(work());
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.result as T;
    throw error;
  }
}

function refusalOf(context: PlanContext, planned: PlannedDomain, generation: number): string | null {
  const { records } = context;
  const { domain, accepted, key_id: keyId, names } = planned;
  const head = records.head(domain);
  requireHead(domain, head, planned.expect);
  const patterns = patternsIn(planned);
  const changesFrom = readRequest(domain, () => readNames(records, domain, names));
  const policy = policyAfter(domain, head, planned.policy);
  requireReach(context.reach, domain, policy);
  const successor = { domain, head, policy, keyId, accepted, patterns, changesFrom };
  return judge(context, successor, generation, false);
}

/** Decodes the names of a plan, whether the guard compares them or not. */
function readNames(records: Records, domain: string, names: PlannedNames): Successor["changesFrom"] {
  if ("accepted" in names) {
    const accepted = tailsFrom(names.accepted);
    return (newest) => nameChangesTo(listOf(records, domain, newest.shards), accepted);
  }
  const changes = { gone: tailsFrom(names.gone), back: tailsFrom(names.back), uncounted: 0 };
  return () => changes;
}

const tailsFrom = (text: string): Float64Array => decodeTails(fromBase64Url(text));

/** What drafts become, before it is stored: what the guard says of them, and who leaves with them. */
import {
  acceptedCount,
  type Coverage,
  type Hashing,
  type ManifestRecord,
  type NewDepartures,
  NO_COVERAGE,
  nameChangesIn,
  type Steps,
} from "../../directory/index.ts";
import { Damage, failure, type RegistryFailure } from "../failure.ts";
import { liveManifest } from "../generations/records.ts";
import { computeDepartures, newListOf } from "../names/compute-departures.ts";
import { changesTo, coverageOf, isComparable, type Judgement, judge } from "../names/guard.ts";
import { requireNoneHeld } from "../names/held-names.ts";
import { getMeta } from "../storage/meta.ts";
import type { PlanContext } from "./plan.ts";
import { type Draft, requireAliasRules } from "./validate-commit.ts";

/** A draft that may become the head of its domain. Nothing of it is stored but blobs of departures, as uploads are. */
export interface JudgedDraft {
  readonly draft: Draft;
  readonly keep: Judgement["keep"];
  /** The domain's last list, null if there is none. */
  readonly left: ManifestRecord | null;
  /** The same, null if the draft cannot be compared with it. */
  readonly before: ManifestRecord | null;
  /** Seconds for which those are deferred who leave. */
  readonly grace: number;
  /** Null: who left is not known. */
  readonly departures: NewDepartures | null;
}

/** What judging drafts takes. */
export interface JudgeContext extends PlanContext {
  readonly hashing: Hashing;
}

/** How drafts are judged. */
export interface Judging {
  readonly forced: boolean;
  /** Whether the guard has no say. */
  readonly isOverride: boolean;
  /** Milliseconds after now within which the drafts become heads: the grace of who leaves lasts so much longer. */
  readonly within: number;
}

/**
 * Judges drafts step by step. What is found holds as long as the heads of their domains are the same.
 * @throws RegistryFailure `forbidden`, `bad_request` or `guard`
 */
export function* judgeDrafts(
  context: JudgeContext,
  drafts: readonly Draft[],
  { forced, isOverride, within }: Judging,
): Steps<JudgedDraft[]> {
  const number = (getMeta(context.storage, "number") ?? 0) + 1;
  for (const draft of drafts) requireAliasRules(context, draft, drafts);
  const judgements: Judgement[] = [];
  for (const draft of drafts) {
    yield 1;
    judgements.push(yield* judgeOne(context, draft, number, isOverride));
  }
  const refused = drafts.flatMap(({ domain }, i): (readonly [string, string])[] => {
    const refusal = judgements[i]?.refusal ?? null;
    return refusal === null ? [] : [[domain, refusal]];
  });
  if (refused.length > 0) throw guardFailure(refused);
  const judged: JudgedDraft[] = [];
  for (const [i, draft] of drafts.entries()) {
    const { keep } = judgements[i] as Judgement;
    judged.push({ draft, keep, ...(yield* whoLeaves(context, draft, forced, within)) });
  }
  return judged;
}

/** @param refused domains, at least one, each with the reason */
export function guardFailure(refused: readonly (readonly [string, string])[]): RegistryFailure {
  const [[domain, why]] = refused as [readonly [string, string]];
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : "";
  return failure("guard", `${domain} ${why}${others}; force overrides`, {
    // fromEntries defines properties and does not assign them: `__proto__` is a domain like any other.
    refusals: Object.fromEntries(refused),
  });
}

function judgeOne(context: JudgeContext, draft: Draft, number: number, forced: boolean): Steps<Judgement> {
  const { domain, head, policy, counts, key, shards, patterns, known } = draft;
  const changesFrom =
    known === undefined
      ? changesTo(context.records, domain, shards, (newest) => coverageFor(draft, newest))
      : (newest: ManifestRecord) => nameChangesIn(known.compare, coverageFor(draft, newest));
  const accepted = acceptedCount(counts);
  const successor = { domain, head, policy, accepted, patterns, keyId: key.id, changesFrom };
  return judge(context, successor, number, forced);
}

/** Behind a deletion nobody looks what the last list accepted by other entries: its list-wide grace is for everybody. */
const coverageFor = ({ head, covered }: Draft, before: ManifestRecord): Coverage =>
  liveManifest(head) === null ? NO_COVERAGE : coverageOf(before, covered);

function* whoLeaves(
  context: JudgeContext,
  draft: Draft,
  forced: boolean,
  within: number,
): Steps<Pick<JudgedDraft, "left" | "before" | "grace" | "departures">> {
  const { records, storage } = context;
  const { domain, head, policy, key } = draft;
  const left = records.lastList(domain)?.manifest ?? null;
  // Names that leave with the commit that lowers the grace were accepted under the longer one.
  const grace = Math.max(policy.grace, left?.policy.grace ?? 0);
  const before = left !== null && isComparable(left, { policy, keyId: key.id }) ? left : null;
  if ((before === null || policy.alias !== null) && liveManifest(head) !== null)
    requireNoneHeld(storage, domain);
  // Without a grace there is none to prolong.
  const lasting = grace === 0 ? 0 : grace + Math.ceil(within / 1000);
  return { left, before, grace, departures: yield* departuresOf(context, draft, before, lasting, forced) };
}

/** With an override, a list that lost parts of it can be replaced; who left it is not known then. */
function* departuresOf(
  { records, storage, hashing, now }: JudgeContext,
  draft: Draft,
  before: ManifestRecord | null,
  grace: number,
  forced: boolean,
): Steps<NewDepartures | null> {
  const { domain, shards, patterns, known } = draft;
  const after = known ?? { ...newListOf(records, domain, shards), patterns };
  try {
    const coverage = before === null ? NO_COVERAGE : coverageFor(draft, before);
    const accepted = acceptedCount(draft.counts);
    return yield* computeDepartures(records, hashing, before, after, { now, grace, accepted, coverage });
  } catch (error) {
    if (!(forced && error instanceof Damage)) throw error;
    if (known?.brake !== "release") requireNoneHeld(storage, domain);
    return null;
  }
}

import type { CommitResult } from "../api/index.ts";
import type { RollcallClient } from "../client/index.ts";
import { acceptedCount, type Hashing } from "../directory/index.ts";
import { baseOf } from "./base.ts";
import { fetchKey } from "./domain-key.ts";
import { AGAIN, OTHER_KEY_STEPS, PublishError } from "./errors.ts";
import { judgePlan } from "./judge.ts";
import { planUnderNewKeys } from "./new-key.ts";
import { openChanges } from "./patched.ts";
import type { DomainPlan } from "./plan.ts";
import {
  during,
  type PlannedList,
  type PlanOptions,
  type PlanPorts,
  type PublishTarget,
  planLists,
  type Start,
} from "./plan-list.ts";
import { withMovingHeads } from "./rebase.ts";
import { batchesOf, upload } from "./upload.ts";

/** What a publish is about to change. */
export interface Confirmation {
  /** Lists that would change. */
  readonly changed: readonly PlannedList[];
  /** Those of them that the guard refuses because they accept no recipient at all. */
  readonly emptied: readonly PlannedList[];
  /** Whether the publish overrides the guard for any of the others. */
  readonly overridesGuard: boolean;
}

export interface PublishPorts extends Omit<PlanPorts, "judge"> {
  readonly client: RollcallClient;
  readonly timers: { sleep(ms: number): Promise<void> };
  /** Resolves to go ahead. A rejection ends the publish before anything changes. Not called if nothing would. */
  confirm(confirmation: Confirmation): Promise<void>;
}

export interface PublishOptions extends PlanOptions {
  /** Override the guard; recorded in the history. */
  readonly force?: boolean | undefined;
  /**
   * Publish the list that the domain has again, under the key of the next epoch. Names cannot be compared across keys,
   * so that is an override, and recorded as one.
   */
  readonly newKey?: boolean | undefined;
  /** Kept in the history. */
  readonly note?: string | undefined;
  /** Plan only: change nothing, and report a refusal of the guard instead of throwing it. */
  readonly dryRun?: boolean | undefined;
}

export interface PublishResult {
  readonly planned: readonly PlannedList[];
  /** Whether the guard refuses any list. */
  readonly isRefused: boolean;
  /** Whether anything was published. */
  readonly isPublished: boolean;
  /** Generation of each domain now, unchanged ones included. Empty after a dry run. */
  readonly generations: Readonly<Record<string, number>>;
}

/**
 * Publishes lists: for each target it reads and canonicalises the list, compares it with the head and asks the guard;
 * then it asks for confirmation, uploads the shards that the edge lacks, and commits. Targets of one Registry go into
 * one commit if they fit. Interrupted anywhere, it can be run again.
 *
 *     await publishLists(
 *       { client, hashing, timers, recorder: null, progress: {}, confirm: async () => undefined },
 *       [{ domain: "example.com", source: openFile({ path, shown: path }), policy: {}, canaries: [] }],
 *     );
 *
 * @throws PublishError `input` for a list that cannot be used, `guard` if the guard refuses or a canary is missing
 * @throws ClientError for what the edge refuses or does not answer
 */
export async function publishLists(
  ports: PublishPorts,
  targets: readonly PublishTarget[],
  options: PublishOptions = {},
): Promise<PublishResult> {
  try {
    return await publish(ports, targets, options);
  } finally {
    ports.recorder?.discardRest();
  }
}

async function publish(
  ports: PublishPorts,
  targets: readonly PublishTarget[],
  options: PublishOptions,
): Promise<PublishResult> {
  return publishPlanned(ports, await planChanges(ports, targets, options), options);
}

/** Plans targets of an edge. Changes nothing. @throws as {@link publishLists}, but not for a refusal of the guard */
export async function planChanges(
  { client, hashing, recorder, progress }: Omit<PublishPorts, "confirm" | "timers">,
  targets: readonly PublishTarget[],
  options: PublishOptions = {},
): Promise<PlannedList[]> {
  // While a list is read, single changes may be made.
  const judge = (plan: DomainPlan) =>
    withMovingHeads(client, [plan], ([present = plan]) => judgePlan(client, present));
  const planPorts = { hashing, recorder, progress, judge };
  return options.newKey
    ? await planUnderNewKeys(client, planPorts, targets, options)
    : await planLists(planPorts, targets, (domain) => startOf(client, hashing, domain), options);
}

/** Publishes what was planned, if it is no dry run: asks for confirmation, uploads and commits. @throws as {@link publishLists} */
export async function publishPlanned(
  ports: PublishPorts,
  planned: readonly PlannedList[],
  options: PublishOptions = {},
): Promise<PublishResult> {
  if (options.dryRun) {
    const isRefused = planned.some(({ plan }) => isRefusedPlan(plan) || openChanges(plan.patched) !== null);
    return { planned, isRefused, isPublished: false, generations: {} };
  }
  const { recorder } = ports;
  const refused = refusedOf(planned);
  const changed = planned.filter(({ plan }) => !plan.unchanged);
  const isRefused = refused.length > 0;
  requireDecisions(planned.map(({ plan }) => plan));
  if (isRefused && !options.force) throw refusal(refused.map(({ plan }) => plan));
  if (changed.length > 0) {
    const emptied = refused.filter(({ plan }) => acceptedCount(plan.packed.counts) === 0);
    await ports.confirm({ changed, emptied, overridesGuard: refused.length > emptied.length });
  }
  const unchanged = planned.filter(({ plan }) => plan.unchanged);
  const generations = Object.fromEntries(unchanged.map(({ plan }) => [plan.domain, plan.expect as number]));
  // Unchanged domains are done, whatever happens to the others.
  recorder?.published(generations);
  const plans = changed.map(({ plan }) => plan);
  const commitOptions = options.newKey ? { force: true, note: options.note ?? "under a new key" } : options;
  Object.assign(generations, await commitPlans(ports, plans, commitOptions));
  return { planned, isRefused, isPublished: changed.length > 0, generations };
}

/**
 * Commits plans, in as many commits as they need, and uploads the shards that the edge lacks.
 * @returns the new generation of each domain
 */
export async function commitPlans(
  { client, timers, recorder, progress }: Omit<PublishPorts, "hashing" | "confirm">,
  plans: readonly DomainPlan[],
  { force, note }: Pick<PublishOptions, "force" | "note"> = {},
): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const batch of batchesOf(plans)) {
    const { generations } = await during(progress, "uploading", (update) =>
      uploadOver(client, batch, force, (plans) =>
        upload(client, timers, plans, { force, note, progress: (done, of) => update(done / of) }),
      ),
    );
    Object.assign(all, generations);
    recorder?.published(generations);
    progress.committed?.(generations);
  }
  return all;
}

/** Uploads plans, and makes them again while single changes are faster. */
const uploadOver = (
  client: RollcallClient,
  plans: readonly DomainPlan[],
  force: boolean | undefined,
  send: (plans: readonly DomainPlan[]) => Promise<CommitResult>,
): Promise<CommitResult> =>
  withMovingHeads(client, plans, send, (again, conflict) => {
    if (again.some(({ missingCanaries, unmet }) => missingCanaries.length + unmet.length > 0)) throw conflict;
    requireDecisions(again);
    const refused = again.filter(isRefusedPlan);
    if (refused.length > 0 && !force) throw refusal(refused);
  });

/** The head that a plan starts from, and the key that its list is made under. */
export async function startOf(client: RollcallClient, hashing: Hashing, domain: string): Promise<Start> {
  const [fetched, head] = await Promise.all([fetchKey(client, hashing, domain), client.domain(domain)]);
  return { ...fetched, base: head === null ? null : baseOf(head, (id) => client.blob(domain, id)) };
}

/** Whether only `--force` publishes a plan: the guard refuses it, or a source gives less than it gave last. */
export const isRefusedPlan = ({ refusal, shrunk }: DomainPlan): boolean =>
  refusal !== null || shrunk.length > 0;

const refusedOf = (planned: readonly PlannedList[]): readonly PlannedList[] =>
  planned.filter(({ plan }) => isRefusedPlan(plan));

/** @throws PublishError `guard` if a list does not reflect single changes, and nobody said what becomes of them */
function requireDecisions(plans: readonly DomainPlan[]): void {
  const open = plans.flatMap(({ domain, patched }) => {
    const what = openChanges(patched);
    return what === null ? [] : [`${domain}: ${what}`];
  });
  if (open.length === 0) return;
  throw new PublishError(
    "guard",
    "single changes need a decision; nothing was published",
    `${AGAIN} with --keep-patched, or with --drop-patched to publish the lists as they are; for unattended runs set patched in rollcall.toml. They cannot be kept under another key, case or dots setting`,
    open,
  );
}

function refusal(refused: readonly DomainPlan[]): PublishError {
  const isUnderOtherKey = refused.some(
    ({ base, key }) => base !== null && !base.deleted && base.keyId !== key.id,
  );
  const isByGuard = refused.some(({ refusal }) => refusal !== null);
  return new PublishError(
    "guard",
    isByGuard
      ? "refused by the guard; nothing was changed"
      : "a source gives less than it gave last; nothing was changed",
    isUnderOtherKey ? OTHER_KEY_STEPS : isByGuard ? GUARD_STEPS : SOURCE_STEPS,
    refused.flatMap(({ domain, refusal, shrunk }) => [
      ...(refusal === null ? [] : [`${domain} ${refusal}`]),
      ...shrunk.map((text) => `${domain}: ${text}`),
    ]),
  );
}

/** Hint for a source that gives less than it gave last. */
const SOURCE_STEPS =
  "check the source; if these names are meant to go, publish with --force, which makes what the source gives now the measure";

/** Hint for a list that the guard refuses. */
export const GUARD_STEPS = `check the list; if these names are meant to go, ${AGAIN} with --force`;

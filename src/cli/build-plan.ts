import type { DomainKey, DomainPolicy } from "../directory/index.ts";
import { stablelibHashing } from "../directory/stablelib.ts";
import {
  type Base,
  type DomainPlan,
  emptyList,
  PublishError,
  planDomain,
  type ReadList,
  readList,
  resultingPolicy,
} from "../publish/index.ts";
import type { Cli } from "./context.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Keeping } from "./list-recorder.ts";
import { OTHER_KEY_STEPS } from "./other-key.ts";
import type { Job } from "./publish-targets.ts";
import { namesComing, namesLeaving, type PlannedList } from "./render-plan.ts";

/** What a domain's plan starts from. */
export interface Start {
  readonly key: DomainKey;
  readonly partition: number;
  readonly base: Base | null;
}

/**
 * Reads a job's list and compares it with what is there.
 * @param judge asks the guard of the list
 */
export async function planJob(
  cli: Cli,
  judge: (plan: DomainPlan) => Promise<DomainPlan>,
  job: Job,
  { key, partition, base }: Start,
  options: { readonly skipInvalid?: boolean },
  kept: Keeping,
): Promise<PlannedList> {
  const { domain, policy, canaries, mode } = job;
  const list = await readJob(cli, job, key, base, options.skipInvalid === true, kept);
  const intent = { domain, key, partition, packed: list.packed, policy, canaries };
  const compared = await cli.output.withProgress(`comparing ${domain}`, (update) =>
    planDomain(mode === undefined ? intent : { ...intent, mode }, base, (done, of) => update(done / of)),
  );
  const plan = await judge(compared);
  const leaving = await cli.output.withProgress(`naming who leaves ${domain}`, (update) =>
    namesLeaving(kept.lists, plan, update),
  );
  const coming = await cli.output.withProgress(`naming who comes to ${domain}`, (update) =>
    namesComing(kept.written(domain), list, plan, update),
  );
  const { duplicates, skipped } = list;
  return { plan, duplicates, skipped, leaving, coming };
}

const NOTHING = { count: 0, first: [] };

async function readJob(
  cli: Cli,
  job: Job,
  key: DomainKey,
  base: Base | null,
  skipInvalid: boolean,
  kept: Keeping,
): Promise<ReadList> {
  const { domain, list: path, shown } = job;
  const policy = resultingPolicy(base, job.policy);
  if (path === null)
    return { packed: emptyList(), duplicates: NOTHING, skipped: NOTHING, placesOf: () => [] };
  requireOwnList(domain, policy);
  const writer = kept.begin(domain);
  const list = await cli.output.withProgress(`reading ${shown}`, (update) =>
    readList({
      path,
      shown,
      domain,
      key,
      policy,
      hashing: stablelibHashing,
      skipInvalid,
      ...(base === null || base.deleted ? {} : { bitsInUse: base.list.table.bits }),
      ...(writer === null ? {} : { eachName: (name) => writer.add(name) }),
      progress: update,
    }),
  );
  writer?.end();
  return list;
}

function requireOwnList(domain: string, policy: DomainPolicy): void {
  if (policy.alias === null) return;
  throw new PublishError(
    "input",
    `${domain} is an alias of ${policy.alias} and has no list of its own`,
    `publish ${policy.alias}, or end the alias with alias = "" in rollcall.toml`,
  );
}

/** @throws PublishError `guard` where a list lacks an address that it must have; no flag overrides that */
export function requireCanaries(planned: readonly PlannedList[]): void {
  const missing = planned.flatMap(({ plan }) => plan.missingCanaries);
  if (missing.length === 0) return;
  throw new PublishError(
    "guard",
    "a canary is missing: an address that must be in the list is not in it, or not accepted",
    "the list is probably incomplete: look at its source. If the address is to go, take it out of canaries",
    missing,
  );
}

/** Plans that the guard refuses. */
export const refusedOf = (planned: readonly PlannedList[]): readonly PlannedList[] =>
  planned.filter(({ plan }) => plan.refusal !== null);

/** Whether the list that is published was made under another key: the edge's was replaced. */
const isUnderOtherKey = ({ base, key }: PlannedList["plan"]): boolean =>
  base !== null && !base.deleted && base.keyId !== key.id;

/** What a refusal of the guard ends the command with. */
export const guardError = (refused: readonly PlannedList[]): CliError =>
  new CliError(
    EXIT.guard,
    "refused by the guard; nothing was changed",
    refused.some(({ plan }) => isUnderOtherKey(plan))
      ? OTHER_KEY_STEPS
      : "check the list; if these names are to go, run it again with --force",
    refused.map(({ plan }) => `${plan.domain} ${plan.refusal}`),
  );

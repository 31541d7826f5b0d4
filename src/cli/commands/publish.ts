import { statSync } from "node:fs";
import type { Command } from "commander";
import type { RollcallClient } from "../../client/index.ts";
import {
  CANONICALISER_VERSION,
  DirectoryError,
  type DomainKey,
  type DomainPolicy,
  domainKey,
  fromBase64Url,
} from "../../directory/index.ts";
import { nobleHashing } from "../../directory/noble.ts";
import {
  type Base,
  baseOf,
  batchesOf,
  emptyList,
  PublishError,
  planDomain,
  type ReadList,
  readList,
  resultingPolicy,
  upload,
} from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { CliError, EXIT } from "../exit.ts";
import { type Job, jobsOf, keptListsOf, type ListOptions, withListOptions } from "../jobs.ts";
import { Keeping } from "../keeping.ts";
import { plural } from "../output.ts";
import { namesLeaving, type PlannedList, planJson, showPlan } from "../plans.ts";

interface PublishOptions extends EdgeOptions, ListOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly keepList: boolean;
}

const HELP = `
Without a file, every domain of rollcall.toml is published, or those named with --domain; at most 500 in one step.
A list that says what is published already changes nothing.

This host keeps the names of the list it published last (.rollcall/ beside rollcall.toml, else the user's state
folder; mode 0600), so that the plan can name who leaves. --no-keep-list, or keep_lists = false, switches it off.`;

/** `rollcall publish`: reads lists, shows what would change, and publishes them. */
export function publishCommand(cli: Cli): Command {
  return withListOptions(cli.edgeCommand("publish", "publish the mailbox list of a domain, or of all"))
    .option("--yes", "go ahead without asking")
    .option("--dry-run", "show the plan and change nothing")
    .option("--note <text>", "kept in the history, at most 200 characters")
    .option("--no-keep-list", "do not keep the list's names on this host")
    .addHelpText("after", HELP)
    .action(async (file: string | undefined, options: PublishOptions) => {
      const { jobs, settings } = jobsOf(cli, file, options);
      const client = cli.client(options);
      const keep = options.keepList && settings?.keepLists !== false;
      const kept = keep ? new Keeping(cli, keptListsOf(cli, settings)) : new Keeping(cli, null);
      try {
        await publish(cli, client, jobs, options, kept);
      } finally {
        kept.dropRest();
      }
    });
}

async function publish(
  cli: Cli,
  client: RollcallClient,
  jobs: readonly Job[],
  options: PublishOptions,
  kept: Keeping,
): Promise<void> {
  const { output } = cli;
  const planned: PlannedList[] = [];
  for (const job of jobs) {
    const one = await planJob(cli, client, job, options, kept);
    showPlan(output, one);
    planned.push(one);
  }
  requireCanaries(planned);
  const refused = planned.filter(({ plan }) => plan.refusal !== null);
  if (options.dryRun) {
    if (refused.length > 0 && !options.force) cli.finish(EXIT.guard);
    output.result({ published: false, domains: planned.map(planJson) });
    return;
  }
  if (refused.length > 0 && !options.force) throw guardError(refused);
  const changed = planned.map(({ plan }) => plan).filter((plan) => !plan.unchanged);
  const generations: Record<string, number> = {};
  for (const { plan } of planned) if (plan.unchanged) generations[plan.domain] = plan.expect as number;
  const batches = batchesOf(changed);
  if (changed.length > 0 && !options.yes) {
    const override = refused.length > 0 ? ", overriding the guard" : "";
    await cli.confirm(`Publish ${plural(changed.length, "domain")}${override}?`);
  }
  // What did not change is settled, whatever becomes of the rest.
  kept.published(options, generations);
  for (const batch of batches) {
    const bar = output.progress("uploading", 1);
    const done = await upload(client, batch, {
      ...(options.force ? { force: true } : {}),
      ...(options.note === undefined ? {} : { note: options.note }),
      sleep: cli.platform.sleep,
      progress: (count, of) => bar.update(count / of),
    });
    bar.stop();
    kept.published(options, done.generations);
    for (const [domain, generation] of Object.entries(done.generations)) {
      generations[domain] = generation;
      output.line(`${output.colors.green("published")} ${domain} as generation ${generation}`);
    }
  }
  output.result({
    published: changed.length > 0,
    domains: planned.map((one) => ({ ...planJson(one), generation: generations[one.plan.domain] })),
  });
}

async function planJob(
  cli: Cli,
  client: RollcallClient,
  job: Job,
  options: PublishOptions,
  kept: Keeping,
): Promise<PlannedList> {
  const { output } = cli;
  const { domain } = job;
  const [{ key, partition }, head] = await Promise.all([keyOf(client, domain), client.domain(domain)]);
  const base = head === null ? null : baseOf(head, (id) => client.shard(domain, id));
  const list = await listOf(cli, job, key, base, options, kept);
  const bar = output.progress(`comparing ${domain}`, 1);
  const plan = await planDomain(
    {
      domain,
      key,
      partition,
      packed: list.packed,
      policy: job.policy,
      canaries: job.canaries,
      ...(job.mode === undefined ? {} : { mode: job.mode }),
    },
    base,
    (done, of) => bar.update(done / of),
  );
  bar.stop();
  const { duplicates, skipped } = list;
  return { plan, duplicates, skipped, leaving: await namesLeaving(kept.lists, plan) };
}

/** Fetches a domain's key, which stays in memory, and proves that it is what it says (law 5). */
async function keyOf(
  client: RollcallClient,
  domain: string,
): Promise<{ readonly key: DomainKey; readonly partition: number }> {
  const body = await client.key(domain);
  const key = secretOf(body.key, domain, body.epoch);
  if (key === null || key.id !== body.key_id || body.canonicaliser !== CANONICALISER_VERSION) {
    throw new PublishError(
      "protocol",
      `${domain}: the edge's key or its reading of addresses is not one that this release knows`,
      "use the release of the edge for publishing too",
    );
  }
  return { key, partition: body.partition };
}

function secretOf(text: string, domain: string, epoch: number): DomainKey | null {
  try {
    return domainKey(nobleHashing, fromBase64Url(text), domain, epoch);
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

const NOTHING = { count: 0, first: [] };

async function listOf(
  cli: Cli,
  job: Job,
  key: DomainKey,
  base: Base | null,
  options: PublishOptions,
  kept: Keeping,
): Promise<ReadList> {
  const policy = resultingPolicy(base, job.policy);
  if (job.list === null) return { packed: emptyList(), duplicates: NOTHING, skipped: NOTHING };
  requireOwnList(job, policy);
  const writer = kept.begin(job.domain);
  const bar = cli.output.progress(`reading ${job.shown}`, sizeOf(job.list));
  const list = await readList({
    path: job.list,
    shown: job.shown,
    domain: job.domain,
    key,
    policy,
    hashing: nobleHashing,
    ...(options.skipInvalid ? { skipInvalid: true } : {}),
    ...(base === null || base.deleted ? {} : { bitsInUse: base.list.table.bits }),
    ...(writer === null ? {} : { eachName: (name) => writer.add(name) }),
    progress: (octets) => bar.update(octets),
  });
  bar.stop();
  writer?.end();
  return list;
}

function requireOwnList(job: Job, policy: DomainPolicy): void {
  if (policy.alias === null) return;
  throw new PublishError(
    "input",
    `${job.domain} is an alias of ${policy.alias} and has no list of its own`,
    `publish ${policy.alias}, or end the alias with alias = "" in rollcall.toml`,
  );
}

function sizeOf(path: string): number {
  try {
    return Math.max(1, statSync(path).size);
  } catch {
    // Reading it says what is wrong.
    return 1;
  }
}

function requireCanaries(planned: readonly PlannedList[]): void {
  const missing = planned.flatMap(({ plan }) => plan.missingCanaries);
  if (missing.length === 0) return;
  throw new PublishError(
    "guard",
    "a canary is missing: an address that must be in the list is not in it, or not accepted",
    "the list is probably incomplete: look at its source. If the address is to go, take it out of canaries",
    missing,
  );
}

const guardError = (refused: readonly PlannedList[]): CliError =>
  new CliError(
    EXIT.guard,
    "refused by the guard; nothing was changed",
    "check the list; if these names are to go, publish again with --force",
    refused.map(({ plan }) => `${plan.domain} ${plan.refusal}`),
  );

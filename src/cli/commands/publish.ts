import type { Command } from "commander";
import type { RollcallClient } from "../../client/index.ts";
import {
  acceptedCount,
  CANONICALISER_VERSION,
  DirectoryError,
  type DomainKey,
  domainKey,
  fromBase64Url,
} from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { baseOf, batchesOf, type DomainPlan, judgePlan, PublishError, upload } from "../../publish/index.ts";
import { guardError, planJob, refusedOf, requireCanaries, type Start } from "../build-plan.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT } from "../exit.ts";
import { Keeping } from "../list-recorder.ts";
import { plural } from "../output.ts";
import { type Job, jobsOf, keptListsOf, type ListOptions, withListOptions } from "../publish-targets.ts";
import { type PlannedList, planJson, showPlan } from "../render-plan.ts";

interface PublishOptions extends EdgeOptions, ListOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly keepList: boolean;
}

const HELP = `
Without a file, every domain of rollcall.toml is published, or those named with --domain; at most 500 in one step.
A list that says what is published already changes nothing. With a file, policy and mode stay as they are stored,
whatever rollcall.toml says of the domain; its canaries count all the same.

This host keeps the names of the list it published last (.rollcall/ beside rollcall.toml, else the user's state
folder; mode 0600), so that the plan can name who comes and who leaves. --no-keep-list, or keep_lists = false, switches it off.

--force with a list that leaves nobody to accept asks for the domain's name; --force --yes goes ahead without.`;

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
  const judge = (plan: DomainPlan): Promise<DomainPlan> => judgePlan(client, plan);
  for (const job of jobs) {
    const one = await planJob(cli, judge, job, await startOf(client, job.domain), options, kept);
    showPlan(output, one);
    planned.push(one);
  }
  requireCanaries(planned);
  const refused = refusedOf(planned);
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
    const emptied = refused.map(({ plan }) => plan).filter(leavesNobody);
    for (const { domain } of emptied) {
      await cli.confirmByName(
        `The list of ${domain} accepts nobody: every recipient would be refused.`,
        domain,
      );
    }
    const others = changed.length - emptied.length;
    const override = refused.length > emptied.length ? ", overriding the guard" : "";
    if (others > 0) await cli.confirm(`Publish ${plural(others, "domain")}${override}?`);
  }
  // What did not change is settled, whatever becomes of the rest.
  kept.published(options, generations);
  for (const batch of batches) {
    const done = await output.withProgress("uploading", (update) =>
      upload(client, batch, {
        ...(options.force ? { force: true } : {}),
        ...(options.note === undefined ? {} : { note: options.note }),
        sleep: cli.platform.sleep,
        progress: (count, of) => update(count / of),
      }),
    );
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

/** Whether a list that the guard refuses has nobody whom it accepts. */
const leavesNobody = ({ packed }: DomainPlan): boolean => acceptedCount(packed.counts) === 0;

/** The head that a plan starts from, and the key that its list is made under. */
async function startOf(client: RollcallClient, domain: string): Promise<Start> {
  const [{ key, partition }, head] = await Promise.all([keyOf(client, domain), client.domain(domain)]);
  return { key, partition, base: head === null ? null : baseOf(head, (id) => client.shard(domain, id)) };
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
    return domainKey(stablelibHashing, fromBase64Url(text), domain, epoch);
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { deriveDomainKey, readMasterKey } from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import {
  type BulkFile,
  type DomainPlan,
  decodeBulk,
  ExportedDirectory,
  encodeBulk,
} from "../../publish/index.ts";
import { guardError, planJob, refusedOf, requireCanaries } from "../build-plan.ts";
import type { Cli } from "../context.ts";
import { EXIT, usageError } from "../exit.ts";
import { Keeping } from "../list-recorder.ts";
import { type Job, jobsOf, type ListOptions, withListOptions } from "../publish-targets.ts";
import { type PlannedList, planJson, showPlan } from "../render-plan.ts";

interface ExportOptions extends ListOptions {
  readonly kvBulk: string;
  readonly dryRun?: boolean;
}

const HELP = `
Works offline, from ROLLCALL_MASTER_KEY, and takes lists as publish does. The file holds everything that KV is to
hold, and what was written to it last is what the next export is compared with: the guard and the departure grace
work against it, and domains that are not exported again stay in it. Keep it, and put it whenever it was written:

  rollcall export --kv-bulk rollcall-kv.json
  npx wrangler kv bulk put rollcall-kv.json --binding ROLLCALL_KV --remote

Answers from it are as fresh as KV is, minutes rather than seconds. A domain that was published to the Registry of
the edge is answered from there, whatever KV holds.`;

/** `rollcall export`: the directory as a file for `wrangler kv bulk put`. */
export function exportCommand(cli: Cli): Command {
  return withListOptions(cli.command("export", "write lists as a file for `wrangler kv bulk put`, offline"))
    .requiredOption("--kv-bulk <file>", "the file to write, and to compare with")
    .option("--dry-run", "show the plan and write nothing")
    .addHelpText("after", HELP)
    .action((file: string | undefined, options: ExportOptions) => {
      const { jobs } = jobsOf(cli, file, options);
      return exportLists(cli, jobs, options);
    });
}

async function exportLists(cli: Cli, jobs: readonly Job[], options: ExportOptions): Promise<void> {
  const { output } = cli;
  const directory = directoryOf(cli, options.kvBulk);
  const planned: PlannedList[] = [];
  // The file that was written last is all that an export is guarded against.
  const judge = async (plan: DomainPlan): Promise<DomainPlan> => plan;
  for (const job of jobs) {
    const { domain } = job;
    const start = { key: directory.keyOf(domain), partition: 0, base: directory.baseOf(domain) };
    // What is published by way of the Registry is remembered, not this: the file itself remembers.
    const one = await planJob(cli, judge, job, start, options, new Keeping(cli, null));
    showPlan(output, one);
    planned.push(one);
  }
  requireCanaries(planned);
  const refused = refusedOf(planned);
  if (refused.length > 0 && !options.force) {
    if (!options.dryRun) throw guardError(refused);
    cli.finish(EXIT.guard);
  }
  const next = options.dryRun ? null : directory.next(planned.map(({ plan }) => plan));
  if (next !== null) {
    write(cli.path(options.kvBulk), next.file);
    for (const [domain, generation] of Object.entries(next.generations)) {
      output.line(`${output.colors.green("wrote")} ${domain} as generation ${generation}`);
    }
    output.line(`next: npx wrangler kv bulk put ${options.kvBulk} --binding ROLLCALL_KV --remote`);
  }
  const generationOf = ({ plan }: PlannedList): number | null =>
    next?.generations[plan.domain] ?? plan.expect;
  output.result({
    written: next !== null,
    file: options.kvBulk,
    domains: planned.map((one) => ({ ...planJson(one), generation: generationOf(one) })),
  });
}

function directoryOf(cli: Cli, shown: string): ExportedDirectory {
  const master = readMasterKey(masterKeyText(cli));
  const path = cli.path(shown);
  const file: BulkFile = existsSync(path) ? decodeBulk(readFileSync(path, "utf8"), shown) : new Map();
  return new ExportedDirectory(file, shown, {
    hashing: stablelibHashing,
    master,
    keyFor: (domain, epoch) => deriveDomainKey(stablelibHashing, master, domain, epoch),
    now: cli.platform.now(),
  });
}

function masterKeyText(cli: Cli): string {
  const text = cli.platform.env.ROLLCALL_MASTER_KEY;
  if (text) return text;
  throw usageError(
    "ROLLCALL_MASTER_KEY is not set, and lists are made under it",
    "give it in the environment; with the file of `rollcall init`: set -a; . ./.dev.vars; set +a",
  );
}

/** Whole or not at all: the file is also what the next export is compared with. */
function write(path: string, file: BulkFile): void {
  writeFileSync(`${path}.next`, encodeBulk(file));
  renameSync(`${path}.next`, path);
}

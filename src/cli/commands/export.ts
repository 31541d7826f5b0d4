import type { Command } from "commander";
import { deriveDomainKey, readMasterKey } from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import {
  ExportedDirectory,
  exportLists,
  type PlannedList,
  type PublishTarget,
  readBulkFile,
  writeBulkFile,
} from "../../publish/index.ts";
import { type Cli, configOption } from "../context.ts";
import { EXIT, usageError } from "../exit.ts";
import { type ListOptions, targetsOf, withListOptions } from "../publish-targets.ts";
import { planJson, showPlan } from "../render-plan.ts";

interface ExportOptions extends ListOptions {
  readonly kvBulk: string;
  readonly dryRun?: boolean;
}

const HELP = `
Works offline, with ROLLCALL_MASTER_KEY, and takes lists as publish does. The file holds everything that KV should
hold, and each export is compared with the file as it was written last: the guard and the departure grace work against
it, and domains that are not exported again stay in it. Keep the file, and put it into KV after every export:

  rollcall export --kv-bulk rollcall-kv.json
  npx wrangler kv bulk put rollcall-kv.json --binding ROLLCALL_KV --remote

Answers from an export are as fresh as KV: minutes rather than seconds. A domain that was published to the edge's
Registry is answered from there, whatever KV holds.`;

/** `rollcall export`: the directory as a file for `wrangler kv bulk put`. */
export function exportCommand(cli: Cli): Command {
  return withListOptions(
    cli
      .command("export", "write lists to a file for `wrangler kv bulk put`, offline")
      .addOption(configOption()),
  )
    .requiredOption("--kv-bulk <file>", "the file to write, and to compare with")
    .option("--dry-run", "show the plan and write nothing")
    .addHelpText("after", HELP)
    .action((file: string | undefined, options: ExportOptions) =>
      exportTo(cli, targetsOf(cli, file, options).targets, options),
    );
}

async function exportTo(cli: Cli, targets: readonly PublishTarget[], options: ExportOptions): Promise<void> {
  const { output } = cli;
  const { kvBulk, dryRun, force } = options;
  const progress = { step: output.step, planned: (list: PlannedList) => showPlan(output, list, options) };
  const directory = directoryOf(cli, kvBulk);
  const ports = { hashing: stablelibHashing, progress };
  const { planned, isRefused, next } = await exportLists(directory, ports, targets, options);
  if (dryRun && isRefused && !force) cli.finish(EXIT.guard);
  if (next !== null) {
    writeBulkFile(cli.path(kvBulk), next.file);
    for (const [domain, generation] of Object.entries(next.generations)) {
      output.line(`${output.colors.green("wrote")} ${domain} as generation ${generation}`);
    }
    output.line(`next: npx wrangler kv bulk put ${kvBulk} --binding ROLLCALL_KV --remote`);
  }
  const generationOf = ({ plan }: PlannedList): number | null =>
    next?.generations[plan.domain] ?? plan.expect;
  output.result({
    written: next !== null,
    file: kvBulk,
    domains: planned.map((list) => ({ ...planJson(list), generation: generationOf(list) })),
  });
}

function directoryOf(cli: Cli, shown: string): ExportedDirectory {
  const master = readMasterKey(masterKeyText(cli));
  return new ExportedDirectory(readBulkFile(cli.path(shown), shown), shown, {
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
    "ROLLCALL_MASTER_KEY is not set; lists are made under it",
    "set it in the environment; to use the file of `rollcall init`: set -a; . ./.dev.vars; set +a",
  );
}

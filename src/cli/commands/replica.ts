import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { FolderError, forgetReplica, knownLogs } from "../../bridge/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { type ReplicaOptions, replicaFolder } from "../bridge-configuration.ts";
import { type Cli, configOption } from "../context.ts";
import { CliError, EXIT, inputError } from "../exit.ts";
import { instant, plural } from "../output.ts";

interface ForgetOptions extends ReplicaOptions {
  readonly yes?: boolean;
}

const HELP = `
Only for a host that belongs to another Registry than before, such as one that was set up with a staging deployment. A
bridge refuses nothing by a log that is older than the one in its folder. Stop the bridge first. Until it has fetched the
lists again, it asks the edge, and defers while the edge is away.`;

/** `rollcall replica forget`, on the mail host. */
export function replicaCommand(cli: Cli): Command {
  const forget = cli
    .command("forget", "remove all that a replica's folder knows of its Registry")
    .option("--replica <folder>", "folder of the replica (default: replica of [bridge] in the settings)")
    .addOption(configOption())
    .option("--yes", "do not ask for confirmation")
    .addHelpText("after", HELP)
    .action((options: ForgetOptions) => forgetOne(cli, options));
  return cli.command("replica", "repair the copy of the lists on a mail host").addCommand(forget);
}

async function forgetOne(cli: Cli, options: ForgetOptions): Promise<void> {
  const { output, platform } = cli;
  const folder = replicaFolder(cli, options);
  if (!existsSync(join(folder, "format"))) {
    throw inputError(`${folder} is no folder of a replica`, "check --replica");
  }
  const logs = await knownLogs(folder, stablelibHashing);
  output.line(folder);
  for (const { partition, incarnation, number, domains } of logs) {
    output.line(
      `partition ${partition}  log of ${instant(incarnation)}, newest number ${number}, ${plural(domains, "domain")}`,
    );
  }
  if (logs.length === 0) output.line("It knows no log.");
  output.line("Its lists are removed too, and are fetched again.");
  if (!options.yes) await cli.confirm("Does this host belong to another Registry now?");
  try {
    await forgetReplica(folder, platform);
  } catch (error) {
    if (error instanceof FolderError) throw new CliError(EXIT.failed, error.message, error.hint);
    throw error;
  }
  output.line(`${output.colors.green("forgotten")}: start the bridge`);
  output.result({ folder, forgotten: logs });
}

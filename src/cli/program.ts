import { type Command, CommanderError } from "commander";

import { VERSION } from "../api/index.ts";
import { auditCommand } from "./commands/audit.ts";
import { brakeCommand } from "./commands/brake.ts";
import { bridgeCommand } from "./commands/bridge.ts";
import { checkCommand } from "./commands/check.ts";
import { deleteCommand } from "./commands/delete.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { historyCommand } from "./commands/history.ts";
import { initCommand } from "./commands/init.ts";
import { keyCommand } from "./commands/key.ts";
import { addCommand, disableCommand, enableCommand, removeCommand } from "./commands/mailboxes.ts";
import { modeCommand } from "./commands/mode.ts";
import { opensmtpdTableCommand } from "./commands/opensmtpd-table.ts";
import { planCommand } from "./commands/plan.ts";
import { publishCommand } from "./commands/publish.ts";
import { registryCommand } from "./commands/registry.ts";
import { replicaCommand } from "./commands/replica.ts";
import { rollbackCommand } from "./commands/rollback.ts";
import { statusCommand } from "./commands/status.ts";
import { syncCommand } from "./commands/sync.ts";
import { tokenCommand } from "./commands/token.ts";
import { Cli } from "./context.ts";
import { EXIT, EXIT_HELP, type ExitCode } from "./exit.ts";
import { explain } from "./explain.ts";
import type { Platform } from "./platform.ts";

/** Every command, in the order of `--help`. */
const COMMANDS: readonly ((cli: Cli) => Command)[] = [
  initCommand,
  devCommand,
  planCommand,
  publishCommand,
  syncCommand,
  addCommand,
  removeCommand,
  disableCommand,
  enableCommand,
  checkCommand,
  bridgeCommand,
  opensmtpdTableCommand,
  statusCommand,
  historyCommand,
  auditCommand,
  modeCommand,
  rollbackCommand,
  brakeCommand,
  deleteCommand,
  tokenCommand,
  keyCommand,
  registryCommand,
  replicaCommand,
  doctorCommand,
];

/**
 * Runs the command.
 * @param args the arguments, without node and script
 * @returns the exit code; never throws
 */
export async function run(platform: Platform, args: readonly string[]): Promise<ExitCode> {
  // Read before commander parses the arguments, so that usage errors are JSON too.
  const end = args.indexOf("--");
  const json = (end < 0 ? args : args.slice(0, end)).includes("--json");
  const cli = new Cli(platform, json);
  try {
    await programOf(cli).parseAsync(args, { from: "user" });
    return cli.exitCode;
  } catch (error) {
    // commander has already printed the usage error or the help.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      cli.output.result({
        error: {
          message: error.message.replace(/^error: /, ""),
          hint: null,
          details: [],
          exit: EXIT.usage,
        },
      });
      return EXIT.usage;
    }
    const failure = explain(error, platform.env.ROLLCALL_DEBUG !== undefined);
    cli.output.error(failure);
    return failure.exit;
  }
}

/** The command with all its subcommands, as commander knows them. */
export function programOf(cli: Cli): Command {
  const program = cli
    .command("rollcall", "tell mail servers at RCPT TO whether a recipient exists")
    .version(VERSION)
    .addHelpText("after", EXIT_HELP);
  for (const make of COMMANDS) program.addCommand(make(cli));
  pointToHelp(program, "rollcall");
  return program;
}

/** Usage errors point to the help of their command, by its full name. */
function pointToHelp(command: Command, name: string): void {
  const what = command.commands.length > 0 ? "the commands" : "the usage";
  command.showHelpAfterError(`(${name} --help shows ${what})`);
  for (const each of command.commands) pointToHelp(each, `${name} ${each.name()}`);
}

import type { Command } from "commander";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT, inputError } from "../exit.ts";
import { duration, instant, plural } from "../output.ts";
import { domainOf } from "../publish-targets.ts";

interface BrakeOptions extends EdgeOptions {
  readonly release?: boolean;
  readonly yes?: boolean;
}

const HELP = `
The brake holds names that left a list, if so many of them are asked for that they were probably removed by mistake: they
are deferred until you decide. \`rollcall rollback\` restores the list that had them. --release says that they are meant to
go: they are rejected within a window.

Exit code 1 if names are held and --release is not given.`;

/** `rollcall brake`: shows the names that the brake holds, and has them refused if a person says that they left. */
export function brakeCommand(cli: Cli): Command {
  return cli
    .edgeCommand("brake", "show whether the brake holds names that left a list, or release them")
    .argument("<domain>")
    .option("--release", "the names are meant to go: refuse them")
    .option("--yes", "do not ask for confirmation")
    .addHelpText("after", HELP)
    .action((domain: string, options: BrakeOptions) => brake(cli, domainOf(domain), options));
}

async function brake(cli: Cli, domain: string, options: BrakeOptions): Promise<void> {
  const { output, platform } = cli;
  const client = cli.client(options);
  const head = await client.domain(domain);
  if (head === null) throw inputError(`${domain} is not served`, "`rollcall status` lists the domains");
  const held = head.brake;
  if (held === null) {
    if (options.release) throw inputError(`the brake holds no names of ${domain}`, "see `rollcall status`");
    output.line(`the brake holds no names of ${domain}`);
    output.result({ domain, generation: head.generation, brake: null });
    return;
  }
  const age = duration(platform.now() - held.since);
  output.line(
    `${domain}  ${plural(held.held, "name")} that left ${held.held === 1 ? "has" : "have"} been deferred since ${instant(held.since)}, for ${age}`,
  );
  output.line(
    `${" ".repeat(domain.length)}  ${held.asked} of ${plural(held.left, "name")} that left together ${held.asked === 1 ? "was" : "were"} asked for`,
  );
  if (!options.release) {
    output.warn(
      `if they were removed by mistake: \`rollcall rollback ${domain}\`; if they are meant to go: add --release`,
    );
    output.result({ domain, generation: head.generation, brake: held });
    cli.finish(EXIT.failed);
    return;
  }
  if (!options.yes)
    await cli.confirm(`Refuse ${held.held === 1 ? "this name" : `these ${held.held} names`}?`);
  const result = await client.releaseBrake(domain, head.generation);
  output.line(`${output.colors.green("released")} ${domain} in generation ${result.generation}`);
  output.result({ ...result, brake: held });
}

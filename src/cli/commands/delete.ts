import type { Command } from "commander";
import type { Cli, EdgeOptions } from "../context.ts";
import { inputError } from "../exit.ts";
import { domainOf } from "../publish-targets.ts";

interface DeleteOptions extends EdgeOptions {
  readonly yes?: boolean;
}

/** `rollcall delete`: stops serving a domain. */
export function deleteCommand(cli: Cli): Command {
  return cli
    .edgeCommand("delete", "stop serving a domain: its mail is deferred for a day, then refused")
    .argument("<domain>")
    .option("--yes", "do not ask for confirmation")
    .action((domain: string, options: DeleteOptions) => remove(cli, domainOf(domain), options));
}

async function remove(cli: Cli, domain: string, options: DeleteOptions): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  const head = await client.domain(domain);
  if (head === null || head.deleted_until !== null) {
    throw inputError(`${domain} is not served`, "`rollcall status` lists the domains");
  }
  const { active, disabled, full, moved } = head.counts;
  output.line(`${domain}  generation ${head.generation}: ${active} active, ${disabled + full + moved} other`);
  output.line(
    "Its recipients are deferred for a day, then refused. `rollcall rollback` restores the domain.",
  );
  if (!options.yes) await cli.confirm(`Delete ${domain}?`);
  const result = await client.deleteDomain(domain, head.generation);
  output.line(`${output.colors.green("deleted")} ${domain} in generation ${result.generation}`);
  output.result(result);
}

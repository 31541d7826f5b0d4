import type { Command } from "commander";
import type { Cli, EdgeOptions } from "../context.ts";
import { inputError } from "../exit.ts";
import { domainOf } from "../publish-targets.ts";

interface DeleteOptions extends EdgeOptions {
  readonly yes?: boolean;
}

/** `rollcall delete`: ends a domain. */
export function deleteCommand(cli: Cli): Command {
  return cli
    .edgeCommand("delete", "stop serving a domain: its mail is deferred for a day, then refused")
    .argument("<domain>")
    .option("--yes", "go ahead without asking")
    .action((domain: string, options: DeleteOptions) => remove(cli, domainOf(domain), options));
}

async function remove(cli: Cli, domain: string, options: DeleteOptions): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  const head = await client.domain(domain);
  if (head === null || head.deleted_until !== null) {
    throw inputError(`${domain} is not served`, "`rollcall status` lists the domains that are");
  }
  const { active, disabled, full, moved } = head.counts;
  output.line(`${domain}  generation ${head.generation}: ${active} active, ${disabled + full + moved} other`);
  output.line("Its recipients are deferred for a day and refused from then on; rollback takes it back.");
  if (!options.yes) await cli.confirm(`Delete ${domain}?`);
  const result = await client.deleteDomain(domain, head.generation);
  output.line(`${output.colors.green("deleted")} ${domain} in generation ${result.generation}`);
  output.result(result);
}

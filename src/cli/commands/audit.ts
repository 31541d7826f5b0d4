import type { Command } from "commander";
import type { AuditRecord } from "../../api/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { instant } from "../output.ts";
import { domainOf } from "../publish-targets.ts";
import { wholeNumber } from "./rollback.ts";

interface AuditOptions extends EdgeOptions {
  readonly domain?: string;
  readonly token?: string;
  readonly action?: string;
  readonly limit: number;
}

const HELP = `
Actions: commit, patch (single changes), rollback, delete, brake, release, key, token create, token revoke, initialise, registry
restored. Needs the admin token.`;

/** `rollcall audit`: who did what when, newest first. */
export function auditCommand(cli: Cli): Command {
  return cli
    .edgeCommand("audit", "show who did what when, newest first")
    .option("--domain <domain>", "only what was done with a domain")
    .option("--token <id>", "only what a token did, and what was done with it; `admin` is one, too")
    .option("--action <action>", "only one kind of action, such as rollback")
    .option("--limit <lines>", "how many lines, at most", wholeNumber, 100)
    .addHelpText("after", HELP)
    .action((options: AuditOptions) => audit(cli, options));
}

async function audit(cli: Cli, { domain, token, action, limit, ...edge }: AuditOptions): Promise<void> {
  const { output } = cli;
  const filter = {
    ...(domain === undefined ? {} : { domain: domainOf(domain) }),
    ...(token === undefined ? {} : { token }),
    ...(action === undefined ? {} : { action }),
  };
  const lines: AuditRecord[] = [];
  let isMore = false;
  for await (const line of cli.client(edge).audit(filter)) {
    isMore = lines.length === limit;
    if (isMore) break;
    lines.push(line);
  }
  const { dim } = output.colors;
  const rows = lines.map(({ time, action, by, subject, detail }) => [
    instant(time),
    action,
    by,
    subject,
    detail ?? "",
  ]);
  output.table([["TIME", "ACTION", "BY", "SUBJECT", "DETAIL"].map(dim), ...rows]);
  if (isMore) output.note(`there are more: add --limit, such as --limit ${10 * limit}`);
  output.result({ audit: lines, more: isMore });
}

import { type Command, Option } from "commander";
import type { TokenRecord, TokenRequest } from "../../api/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { usageError } from "../exit.ts";
import { instant } from "../output.ts";
import { collect, domainOf } from "../publish-targets.ts";
import { time } from "../times.ts";

interface CreateOptions extends EdgeOptions {
  readonly role: TokenRequest["role"];
  readonly domain?: readonly string[];
  readonly allDomains?: boolean;
  /** Milliseconds. */
  readonly expires?: number;
  readonly note?: string;
}

const ROLES_HELP = `
Roles:
  check    check recipients: for mail servers
  publish  publish and roll back the named domains, which need not exist yet
  replica  check, and hold a copy of the lists: for bridges. If a domain is an alias, name its target too

Mail to a named domain is deferred while its list is missing. With --all-domains, mail to any domain without a list is
refused (550 5.7.1): use it only if the mail server asks about no domain before its list is published.

The token is printed once, alone on standard output, and stored nowhere. To save it in a file that only you can read:
  (umask 077; rollcall token create --role check --domain example.com > token)`;

const SCOPE_HINT =
  "add --domain DOMAIN, once per domain: its mail is deferred while its list is missing; or --all-domains: mail to any " +
  "domain without a list is refused (550 5.7.1)";

/** `rollcall token create|list|revoke`, for admin. */
export function tokenCommand(cli: Cli): Command {
  const create = cli
    .edgeCommand("create", "create a token and print it")
    .addOption(
      new Option("--role <role>", "what it may do")
        .choices(["check", "publish", "replica"])
        .makeOptionMandatory(),
    )
    .option("--domain <domain>", "a domain that it covers; may be repeated", collect)
    .addOption(
      new Option(
        "--all-domains",
        "it covers every domain, also later ones; one without a list is refused, not deferred",
      ).conflicts("domain"),
    )
    .option("--expires <time>", "how long it is valid, such as 90d (default: forever)", time)
    .option("--note <text>", "note for the list, such as who uses it")
    .addHelpText("after", ROLES_HELP)
    .action((options: CreateOptions) => createToken(cli, options));
  const list = cli
    .edgeCommand("list", "list all tokens")
    .action((options: EdgeOptions) => listTokens(cli, options));
  const revoke = cli
    .edgeCommand("revoke", "revoke a token: at once, and for checks within one window")
    .argument("<id>", "id of the token, as `rollcall token list` shows it")
    .action((id: string, options: EdgeOptions) => revokeToken(cli, id, options));
  return cli
    .command("token", "create, list and revoke tokens")
    .addCommand(create)
    .addCommand(list)
    .addCommand(revoke);
}

async function createToken(cli: Cli, options: CreateOptions): Promise<void> {
  const { output } = cli;
  const domains = (options.domain ?? []).map(domainOf);
  if (domains.length === 0) {
    if (options.role === "publish")
      throw usageError("a publish token needs domains", "add --domain DOMAIN, once per domain");
    if (!options.allDomains) throw usageError("which domains should the token cover?", SCOPE_HINT);
  }
  const created = await cli.client(options).createToken({
    role: options.role,
    domains: domains.length === 0 ? null : domains,
    ...(options.expires === undefined ? {} : { expires_in: Math.ceil(options.expires / 1000) }),
    ...(options.note === undefined ? {} : { note: options.note }),
  });
  output.line(created.token);
  if (options.allDomains)
    output.note(
      "The token covers all domains: mail to a domain without a list is refused (550 5.7.1), not deferred.",
    );
  output.result(created);
}

async function listTokens(cli: Cli, options: EdgeOptions): Promise<void> {
  const { output } = cli;
  const tokens = await cli.client(options).tokens();
  const { dim } = output.colors;
  if (tokens.length === 0)
    output.line("there are no tokens: create one with `rollcall token create --role check --domain DOMAIN`");
  else output.table([["ID", "ROLE", "DOMAINS", "CREATED", "STATE", "NOTE"].map(dim), ...tokens.map(rowOf)]);
  output.result({ tokens });

  function rowOf(token: TokenRecord): string[] {
    const domains = token.domains === null ? "all" : token.domains.join(" ");
    return [token.id, token.role, domains, instant(token.created), stateOf(cli, token), token.note ?? ""];
  }
}

function stateOf(cli: Cli, { revoked, expires, key_fits }: TokenRecord): string {
  const { red, dim } = cli.output.colors;
  if (revoked !== null) return red(`revoked ${instant(revoked)}`);
  if (expires !== null && expires <= cli.platform.now()) return dim(`expired ${instant(expires)}`);
  if (key_fits === false) return red("made under another master key: no longer accepted");
  return expires === null ? "valid" : `valid until ${instant(expires)}`;
}

async function revokeToken(cli: Cli, id: string, options: EdgeOptions): Promise<void> {
  await cli.client(options).revokeToken(id);
  cli.output.line(`${cli.output.colors.green("revoked")} ${id}`);
  cli.output.result({ revoked: id });
}

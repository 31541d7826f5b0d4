import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { KEY_BYTES, toBase64Url } from "../../directory/index.ts";
import type { Cli } from "../context.ts";
import { collect, domainOf } from "../publish-targets.ts";
import { SETTINGS_FILE } from "../settings.ts";
import { settingsSchemaFile } from "../settings-schema-file.ts";

interface InitOptions {
  readonly domain?: readonly string[];
  readonly dir: string;
}

const VARS_FILE = ".dev.vars";

const HELP = `
Writes a commented ${SETTINGS_FILE}; ${VARS_FILE} with a new ROLLCALL_MASTER_KEY and ROLLCALL_ADMIN_TOKEN (mode 0600); and
an empty list for each domain, lists/DOMAIN.txt. Existing files are not changed.`;

/** `rollcall init`: creates keys and a commented settings file. */
export function initCommand(cli: Cli): Command {
  return cli
    .command("init", "create keys and a commented rollcall.toml")
    .option("--domain <domain>", "a domain to start with; may be repeated", collect)
    .option("--dir <folder>", "where to write", ".")
    .addHelpText("after", HELP)
    .action((options: InitOptions) => init(cli, options));
}

function init(cli: Cli, options: InitOptions): void {
  const { output } = cli;
  const domains = (options.domain ?? []).map(domainOf);
  const folder = cli.path(options.dir);
  mkdirSync(folder, { recursive: true });
  const files: Record<string, boolean> = {
    [SETTINGS_FILE]: writeNew(
      join(folder, SETTINGS_FILE),
      settingsText(domains, settingsSchemaFile()),
      0o644,
    ),
    [VARS_FILE]: writeNew(join(folder, VARS_FILE), secretsText(cli), 0o600),
  };
  for (const domain of domains) {
    const list = listOf(domain);
    mkdirSync(dirname(join(folder, list)), { recursive: true });
    files[list] = writeNew(join(folder, list), listText(domain), 0o600);
  }
  for (const [name, written] of Object.entries(files)) {
    output.line(written ? `wrote ${name}` : `${name} exists and was not changed`);
  }
  if (files[VARS_FILE]) {
    output.line();
    output.line(
      `${VARS_FILE} holds the keys. Keep a copy of ROLLCALL_MASTER_KEY in a safe place, but not in`,
    );
    output.line("version control: if it is lost, every list must be published again.");
  }
  output.line();
  // npx sets this. It works in a clone only: the package of this name in the npm registry is not ours.
  const command = cli.platform.env.npm_command === "exec" ? "npx rollcall" : "rollcall";
  for (const line of nextSteps(domains, command)) output.line(line);
  output.result({ folder: options.dir, written: files });
}

/** Next steps, as commands that work in the folder that was written. */
function nextSteps(domains: readonly string[], command: string): readonly string[] {
  const addresses =
    domains.length === 0
      ? `add a domain to ${SETTINGS_FILE}, and its addresses to its list`
      : `add the addresses to ${domains.map(listOf).join(", ")}`;
  return [
    `next:  ${addresses}`,
    `       ${command} dev                  runs an edge on this machine, in a clone; use a second terminal`,
    '       export ROLLCALL_URL=http://127.0.0.1:8787 ROLLCALL_TOKEN="$(cat .rollcall/dev/admin-token)"',
    `       ${command} publish --observe    publishes the lists; every recipient is still accepted`,
    "       For an edge at Cloudflare, see docs/deploying.md",
  ];
}

const listOf = (domain: string): string => `lists/${domain}.txt`;

/** Without addresses: with a made-up one in it, every real recipient would be rejected. */
const listText = (domain: string): string => `# The mailboxes of ${domain}, one address per line, such as:
# alice@${domain}
`;

/** @returns false if the file exists: it is never overwritten */
function writeNew(path: string, text: string, mode: number): boolean {
  if (existsSync(path)) return false;
  writeFileSync(path, text, { flag: "wx", mode });
  // The umask may have removed permissions that were asked for.
  chmodSync(path, mode);
  return true;
}

function secretsText(cli: Cli): string {
  const secret = (): string => toBase64Url(cli.platform.randomBytes(KEY_BYTES));
  return `# Secrets of the edge. \`rollcall dev\` and \`wrangler dev\` read them here; \`npm run deploy\` sets those that a deployment
# lacks, and never replaces one. The fingerprints of every list depend on the master key: keep a copy of it.
ROLLCALL_MASTER_KEY=${secret()}
ROLLCALL_ADMIN_TOKEN=${secret()}
`;
}

/** @param schema with which editors that know Taplo's directive check, complete and explain the file */
function settingsText(domains: readonly string[], schema: string | null): string {
  const tables =
    domains.length === 0
      ? `# [domains."example.com"]
# list = "lists/example.com.txt"
`
      : domains.map((domain) => `[domains."${domain}"]\nlist = "${listOf(domain)}"\n`).join("\n");
  const directive = schema === null ? "" : `#:schema ${schema}\n`;
  return `${directive}# What \`rollcall publish\` publishes without a file argument.
# A setting that is left out keeps the value stored at the edge; a new domain starts with the defaults.

# URL of the edge; --url and ROLLCALL_URL override it. Do not put tokens in this file.
# url = "https://rollcall.your-account.workers.dev"

# Whether this host stores the names of the list it published last (.rollcall/, mode 0600), so that a plan can show
# who joins and who leaves.
keep_lists = true

# Settings for every domain that does not override them, shown with their defaults.
[defaults]
# mode = "observe"          # how a new domain starts: accept every recipient, and record what would be rejected;
#                           # "defer": tell senders to try again later instead; "enforce": reject
patched = "keep"            # a publish keeps single changes (rollcall add, …) that the list does not reflect; "drop": it
#                           # takes them back, but for names removed with --now. Without this line it stops until a person decides
# guard = 0.2               # share of accepted names that may leave within 24 hours without --force
# grace = 3600              # seconds to defer a name that left the list before rejecting it; 0: reject at once
# delimiters = "+"          # characters that start a subaddress, as in john+news; "" for none
# catchall = false          # accept every local part
# case = "insensitive"      # "sensitive": John and john are two mailboxes
# dots = "significant"      # "ignored": j.ohn and john are one mailbox
# postmaster = true         # accept postmaster even if it is not in the list
# text = ""                 # added to every rejection, such as the address of a help page

# One table per domain. \`list\` is a path, relative to this file: CSV with the header address[,state] if it ends in .csv
# (states: active, disabled, full, moved), otherwise one address per line, with # comments.
${tables}
# sources = ["staff"]                     # instead of \`list\`: tables [sources.staff], see docs/sources.md
# canaries = ["postmaster@example.com"]   # must be in every list that is published
# minimum = 500                            # fewest names that the list must accept
# must_not_appear = ["test@example.com"]   # no list with one of these is published
# mode = "observe"                        # every setting of [defaults] is allowed here too

# An alias: a domain that uses the list of another one.
# [domains."example.net"]
# alias = "example.com"

# \`rollcall bridge\` on the mail host. Each setting is also a flag; see docs/bridge.md.
# [bridge]
# socketmap = ["127.0.0.1:10023"]
# policy = ["127.0.0.1:10024"]
# metrics = ["127.0.0.1:10026"]
`;
}

import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { KEY_BYTES, toBase64Url } from "../../directory/index.ts";
import type { Cli } from "../context.ts";
import { collect, domainOf } from "../publish-targets.ts";
import { SETTINGS_FILE } from "../settings.ts";

interface InitOptions {
  readonly domain?: readonly string[];
  readonly dir: string;
}

const VARS_FILE = ".dev.vars";

const HELP = `
Writes ${SETTINGS_FILE}, commented; ${VARS_FILE} with a new ROLLCALL_MASTER_KEY and ROLLCALL_ADMIN_TOKEN (mode 0600); and
for each domain a list without addresses, lists/DOMAIN.txt. A file that is there already is left as it is.`;

/** `rollcall init`: makes the keys and a commented settings file. */
export function initCommand(cli: Cli): Command {
  return cli
    .command("init", "make the keys and a commented rollcall.toml")
    .option("--domain <domain>", "a domain to begin with; may be repeated", collect)
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
    [SETTINGS_FILE]: writeNew(join(folder, SETTINGS_FILE), settingsText(domains), 0o644),
    [VARS_FILE]: writeNew(join(folder, VARS_FILE), secretsText(cli), 0o600),
  };
  for (const domain of domains) {
    const list = listOf(domain);
    mkdirSync(dirname(join(folder, list)), { recursive: true });
    files[list] = writeNew(join(folder, list), listText(domain), 0o600);
  }
  for (const [name, written] of Object.entries(files)) {
    output.line(written ? `wrote ${name}` : `${name} is there already and was left as it is`);
  }
  if (files[VARS_FILE]) {
    output.line();
    output.line(
      `${VARS_FILE} holds the keys. Keep a copy of ROLLCALL_MASTER_KEY in a safe place, and never in`,
    );
    output.line("version control: if it is lost, every list must be published again.");
  }
  output.line();
  for (const line of nextSteps(domains)) output.line(line);
  output.result({ folder: options.dir, written: files });
}

/** What to do next, in commands that work as they stand in the folder that was written to. */
function nextSteps(domains: readonly string[]): readonly string[] {
  const addresses =
    domains.length === 0
      ? `name a domain in ${SETTINGS_FILE}, and put its addresses into its list`
      : `put the addresses into ${domains.map(listOf).join(", ")}`;
  return [
    `next:  ${addresses}`,
    "       npx rollcall dev                  an edge on this machine, in a terminal of its own",
    '       export ROLLCALL_URL=http://127.0.0.1:8787 ROLLCALL_TOKEN="$(cat .rollcall/dev/admin-token)"',
    "       npx rollcall publish --observe    publishes the lists; every recipient is still accepted",
    "       docs/deploying.md has the same with an edge at Cloudflare",
  ];
}

const listOf = (domain: string): string => `lists/${domain}.txt`;

/** No address at all: one that is made up would have every real recipient refused. */
const listText = (domain: string): string => `# The mailboxes of ${domain}, one address per line, such as:
# alice@${domain}
`;

/** @returns false where the file is there already: it is never overwritten */
function writeNew(path: string, text: string, mode: number): boolean {
  if (existsSync(path)) return false;
  writeFileSync(path, text, { flag: "wx", mode });
  // The umask may have taken more than was asked for, never less.
  chmodSync(path, mode);
  return true;
}

function secretsText(cli: Cli): string {
  const secret = (): string => toBase64Url(cli.platform.randomBytes(KEY_BYTES));
  return `# Secrets of the edge. \`rollcall dev\` and \`wrangler dev\` read them here; \`npm run deploy\` gives a deployment those that
# it lacks, and never replaces one. Fingerprints of every list are made under the master key: keep a copy of it.
ROLLCALL_MASTER_KEY=${secret()}
ROLLCALL_ADMIN_TOKEN=${secret()}
`;
}

function settingsText(domains: readonly string[]): string {
  const tables =
    domains.length === 0
      ? `# [domains."example.com"]
# list = "lists/example.com.txt"
`
      : domains.map((domain) => `[domains."${domain}"]\nlist = "${listOf(domain)}"\n`).join("\n");
  return `# What \`rollcall publish\` publishes when it is given no file.
# A setting that is left out keeps the value that is stored at the edge; a new domain begins with the defaults.

# The edge that commands speak to; --url and ROLLCALL_URL replace it. Tokens do not belong into this file.
# url = "https://rollcall.your-account.workers.dev"

# Whether this host keeps the names of the list it published last (.rollcall/, mode 0600), so that a plan can
# name who comes and who leaves.
keep_lists = true

# Settings of every domain that does not say otherwise; shown with their defaults.
[defaults]
# mode = "enforce"          # "observe": accept everybody, and note what would be refused
# guard = 0.2               # share of accepted names that may go in one publish without --force
# grace = 3600              # seconds for which a name that left is deferred before it is refused; 0 is off
# delimiters = "+"          # characters that begin a subaddress, such as john+news; "" is none
# catchall = false          # accept every local part
# case = "insensitive"      # "sensitive": John and john are two mailboxes
# dots = "significant"      # "ignored": j.ohn and john are one mailbox
# postmaster = true         # accept postmaster though the list lacks it
# text = ""                 # put behind every refusal, such as a web page that helps

# One table a domain. \`list\` is a path, taken from here: CSV with the header address[,state] if it ends in .csv
# (states: active, disabled, full, moved), else an address a line with # comments.
${tables}
# canaries = ["postmaster@example.com"]   # must be in every list that is published
# mode = "observe"                        # any setting of [defaults] may stand here too

# A domain that another one's list answers for:
# [domains."example.net"]
# alias = "example.com"

# \`rollcall bridge\` on the mail host; its flags say the same. docs/bridge.md has all settings.
# [bridge]
# socketmap = ["127.0.0.1:10023"]
# policy = ["127.0.0.1:10024"]
# metrics = ["127.0.0.1:10026"]
`;
}

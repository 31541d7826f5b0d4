import { type Command, Option } from "commander";
import type { MailboxesRequest, PatchResult } from "../../api/index.ts";
import { ClientError, type RollcallClient } from "../../client/index.ts";
import {
  domainOf as domainOfRecipient,
  ENTRY_STATES,
  type EntryState,
  parseRecipient,
  toHex,
} from "../../directory/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { CliError, EXIT, inputError } from "../exit.ts";
import { plural, refusedFrom } from "../output.ts";
import { collect, domainOf } from "../publish-targets.ts";
import { SETTINGS_FILE } from "../settings.ts";

interface ChangeOptions extends EdgeOptions {
  readonly domain?: readonly string[];
  readonly as?: EntryState;
  readonly now?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** What a command does to each mailbox. */
interface Verb {
  readonly name: string;
  readonly description: string;
  /** For the question: "Remove 2 mailboxes?" */
  readonly word: string;
  /** Whether the mailboxes must be in the list: a typo would make another one. */
  readonly mustBeListed?: true;
  /** Whether a mailbox that has another state keeps it, unless the person says the state: somebody disabled it. */
  readonly isForNew?: true;
  /** The state that a mailbox gets; null: it leaves the list. */
  stateOf(options: ChangeOptions): EntryState | null;
}

const NOW = ["--now", "refuse them at once, without the departure grace"] as const;

const change = (cli: Cli, verb: Verb): Command =>
  cli
    .edgeCommand(verb.name, verb.description)
    .argument(
      "<address...>",
      "addresses, also of several domains; an address without a domain needs --domain",
    )
    .option("--domain <domain>", "the domain of addresses without one", collect)
    .option("--force", "override the guard; recorded in the history")
    .option("--yes", "do not ask for confirmation");

/** `rollcall add`: puts mailboxes into a published list. */
export const addCommand = (cli: Cli): Command => {
  const verb: Verb = {
    name: "add",
    description: "add single mailboxes to a published list",
    word: "Add",
    isForNew: true,
    stateOf: ({ as = "active" }) => as,
  };
  return change(cli, verb)
    .addOption(
      new Option(
        "--as <state>",
        "their state, also of those that are in the list with another one (default: active)",
      ).choices([...ENTRY_STATES]),
    )
    .option("--now", `${NOW[1]}; with --as disabled or moved`)
    .action(actionOf(cli, verb));
};

/** `rollcall remove`: takes mailboxes out of a published list. */
export const removeCommand = (cli: Cli): Command => {
  const verb: Verb = {
    name: "remove",
    description: "remove single mailboxes from a published list",
    word: "Remove",
    stateOf: () => null,
  };
  return change(cli, verb)
    .option(...NOW)
    .action(actionOf(cli, verb));
};

/** `rollcall disable`: rejects mail to mailboxes, which stay in the list. */
export const disableCommand = (cli: Cli): Command => {
  const verb: Verb = {
    name: "disable",
    description: "reject mail to single mailboxes, which stay in the list",
    word: "Disable",
    mustBeListed: true,
    stateOf: () => "disabled",
  };
  return change(cli, verb)
    .option(...NOW)
    .action(actionOf(cli, verb));
};

/** `rollcall enable`: accepts mail to mailboxes again. */
export const enableCommand = (cli: Cli): Command => {
  const verb: Verb = {
    name: "enable",
    description: "accept mail to single mailboxes again",
    word: "Enable",
    mustBeListed: true,
    stateOf: () => "active",
  };
  return change(cli, verb).action(actionOf(cli, verb));
};

const actionOf =
  (cli: Cli, verb: Verb) =>
  (addresses: readonly string[], options: ChangeOptions): Promise<void> =>
    send(cli, verb, addresses, options);

async function send(
  cli: Cli,
  verb: Verb,
  addresses: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  if (options.now && !refuses(verb.stateOf(options)))
    throw inputError(
      "--now is for mailboxes that are refused",
      "leave it out, or say --as disabled or moved",
    );
  const requests = requestsFor(addresses, verb, options);
  const domains = [...requests.keys()];
  for (const address of addresses) output.line(`  ${verb.name.padEnd(8)} ${address}`);
  if (!options.yes) {
    const override = options.force ? ", overriding the guard" : "";
    const question = `${verb.word} ${plural(addresses.length, "mailbox", "mailboxes")} of ${domains.join(", ")}${override}?`;
    await cli.confirm(question);
  }
  const results: PatchResult[] = [];
  try {
    for (const [domain, request] of requests) {
      const result = await patch(client, domain, request, toHex(cli.platform.randomBytes(16)));
      results.push(result);
      output.line(describe(output.colors.green, result, refuses(verb.stateOf(options)), options));
      for (const i of result.unlisted ?? [])
        output.warn(unlistedText(request.remove?.[i] as string, options));
    }
  } catch (error) {
    if (results.length > 0)
      output.warn(`changed before this failed: ${results.map((result) => result.domain).join(", ")}`);
    throw error;
  }
  if (options.now) output.note(OUT_OF_REACH);
  if (results.some(isChange)) output.note(SETTLING);
  output.result({ domains: results });
}

/** What a publish will do with the changes: without it, sync would stop for the domain, and nobody knows why. */
const SETTLING = `what to do: make the same change in the source of the list. Until the list reflects it, a publish needs to know
  what becomes of it: patched = "keep" or "drop" in ${SETTINGS_FILE}, or --keep-patched or --drop-patched of \`rollcall publish\`.
  Without that, \`rollcall sync\` ends with 4 for the domain, and publishes nothing of it`;

/** What `--now` does not reach. */
const OUT_OF_REACH = `rejected everywhere within the window, except on mail hosts that the edge does not answer. Such a host can go
  on to accept a removed address: for up to 24 hours if it has heard that the list changed, for its accept_grace (7 days by
  default) if it has heard nothing`;

const isChange = ({ added, removed, changed }: PatchResult): boolean => added + removed + changed > 0;

const unlistedText = (address: string, { now }: ChangeOptions): string =>
  `${address} was not in the list${now ? "; if it left before, its grace has ended" : ""}`;

/** @throws CliError exit 3 if a mailbox must be in the list and is not, or must not and is */
async function patch(
  client: RollcallClient,
  domain: string,
  request: MailboxesRequest,
  key: string,
): Promise<PatchResult> {
  try {
    return await client.patchMailboxes(domain, request, key);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.code === "already_listed") {
      throw new CliError(
        EXIT.input,
        error.message,
        "to accept mail to one that is disabled: `rollcall enable ADDRESS`; `rollcall add ADDRESS --as STATE` sets the state of one that is in the list",
        (error.body?.listed ?? []).flatMap((i) => request.set?.[i]?.recipient ?? []),
        { cause: error },
      );
    }
    if (error.code !== "not_listed") throw error;
    const named = (error.body?.unlisted ?? []).map((i) => request.set?.[i]);
    const [first] = named;
    throw new CliError(
      EXIT.input,
      error.message,
      `check the spelling. To put one into the list: \`rollcall add ADDRESS\`; \`rollcall add ADDRESS --as ${first?.state ?? "disabled"}\` does so in that state, such as to refuse a name that a catch-all or a pattern accepts`,
      named.flatMap((each) => each?.recipient ?? []),
      { cause: error },
    );
  }
}

/** One request for each domain. @throws CliError exit 3 for an address without a domain */
function requestsFor(
  addresses: readonly string[],
  { stateOf, mustBeListed, isForNew }: Verb,
  options: ChangeOptions,
): Map<string, MailboxesRequest> {
  const { domain: named = [], force, now, as } = options;
  const state = stateOf(options);
  const isConditional = mustBeListed || (isForNew && as === undefined);
  const listed = isConditional ? { listed: mustBeListed === true } : {};
  const byDomain = new Map<string, string[]>();
  const [only, ...others] = named.map(domainOf);
  if (others.length > 0) throw inputError("--domain is given twice", "write the others as whole addresses");
  for (const text of addresses) {
    const address = text.includes("@") || only === undefined ? text : `${text}@${only}`;
    const domain = domainOfRecipient(parseRecipient(address));
    if (domain === null)
      throw inputError(`"${text}" has no domain`, "write it like ada@example.com, or add --domain");
    byDomain.set(domain, [...(byDomain.get(domain) ?? []), address]);
  }
  return new Map(
    [...byDomain].map(([domain, recipients]) => [
      domain,
      {
        ...(state === null
          ? { remove: recipients }
          : { set: recipients.map((recipient) => ({ recipient, state, ...listed })) }),
        ...(force ? { force } : {}),
        ...(now ? { now } : {}),
      },
    ]),
  );
}

/** @param isRefusal whether the mailboxes are refused from now on */
function describe(
  green: (text: string) => string,
  result: PatchResult,
  isRefusal: boolean,
  { now }: ChangeOptions,
): string {
  const { domain, generation, added, removed, changed, refused_from: from } = result;
  if (!isChange(result)) return `${domain}  nothing to change${now ? "; refused at once" : ""}`;
  const end = isRefusal ? `; ${refusedFrom(from)}` : "";
  return `${green("changed")} ${domain} in generation ${generation}: ${added} added, ${removed} removed, ${changed} changed${end}`;
}

/** Whether mail to a mailbox in this state is refused; null: it is not listed. */
const refuses = (state: EntryState | null): boolean =>
  state === null || state === "disabled" || state === "moved";

import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { type DomainPolicy, MODES, type Mode, toALabel } from "../directory/index.ts";
import { ListRecorder, ListStore, openFile, openSources, type PublishTarget } from "../publish/index.ts";
import type { Cli, EdgeOptions } from "./context.ts";
import { inputError, usageError } from "./exit.ts";
import { type DomainSettings, SETTINGS_FILE, type Settings } from "./settings.ts";
import { seconds } from "./times.ts";

/** Options of every command that reads lists. */
export interface ListOptions {
  readonly domain?: readonly string[];
  readonly config?: string;
  readonly state?: string;
  readonly observe?: boolean;
  readonly defer?: boolean;
  readonly enforce?: boolean;
  readonly grace?: number;
  readonly skipInvalid?: boolean;
  readonly force?: boolean;
  readonly keepPatched?: boolean;
  readonly dropPatched?: boolean;
}

/** Seconds. */
const LONGEST_GRACE = 30 * 86_400;

/** What a command publishes. */
export interface Targets {
  readonly targets: readonly PublishTarget[];
  readonly settings: Settings | null;
}

/** Adds the options of {@link ListOptions}. */
export function withListOptions(command: Command): Command {
  return command
    .argument(
      "[file]",
      "the domain's list: CSV with the header address[,state] if it ends in .csv, otherwise one address per line",
    )
    .option("--domain <domain>", "the domain; repeat it for several, if no file is given", collect)
    .addOption(
      new Option(
        "--observe",
        "accept every recipient and record what would be rejected; kept for later publishes",
      ).conflicts(["defer", "enforce"]),
    )
    .addOption(
      new Option(
        "--defer",
        "tell senders to try again later where enforce mode rejects; kept for later publishes",
      ).conflicts("enforce"),
    )
    .addOption(
      new Option("--enforce", "reject recipients that are not in the list; kept for later publishes"),
    )
    .option(
      "--grace <time>",
      "how long to defer a name that left the list before rejecting it, such as 1h; kept for later publishes",
      (text) => seconds(text, LONGEST_GRACE),
    )
    .option("--skip-invalid", "leave out malformed lines instead of publishing nothing")
    .option("--force", "override the guard; recorded in the history");
}

/** Adds the options that say what becomes of single changes which a list does not know. */
export const withPatchedOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        "--keep-patched",
        "keep single changes (rollcall add, remove, …) that the list does not reflect",
      ).conflicts("dropPatched"),
    )
    .addOption(new Option("--drop-patched", "publish the list as it is, without such changes"));

/** Collects the values of an option that may be repeated. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/**
 * What to publish: FILE for the one --domain, or else the domains of rollcall.toml: all of them, or those that are
 * named. With FILE, policy and mode of rollcall.toml do not apply, so that the stored ones stay, but for the mode of a new
 * domain; what rollcall.toml expects of the list always applies.
 */
export function targetsOf(cli: Cli, file: string | undefined, options: ListOptions): Targets {
  const settings = cli.settings(options.config);
  const domains = (options.domain ?? []).map(domainOf);
  const known = new Map(settings?.domains.map((each) => [each.domain, each]));
  const { policy, mode } = overridesOf(options);
  if (file !== undefined) {
    const domain = domains[0];
    if (domain === undefined || domains.length > 1) {
      throw usageError("a list belongs to one domain", `name it: --domain example.com ${file}`);
    }
    const source = openFile({ path: cli.path(file), shown: file });
    return {
      targets: [
        {
          domain,
          source,
          policy,
          mode,
          initialMode: known.get(domain)?.mode,
          ...expectedOf(known.get(domain), options),
        },
      ],
      settings,
    };
  }
  if (settings === null) {
    throw usageError(
      `no list: no file is given, and there is no ${SETTINGS_FILE} here`,
      "give --domain example.com FILE, or write a rollcall.toml with `rollcall init`",
    );
  }
  const chosen = domains.length === 0 ? [...known.keys()] : domains;
  if (chosen.length === 0) {
    throw inputError(
      `${settings.file} names no domain`,
      'add a table such as [domains."example.com"] with its list',
    );
  }
  const targets = chosen.map((domain): PublishTarget => {
    const each = known.get(domain);
    if (each === undefined) {
      throw inputError(
        `${settings.file} has no domain ${domain}`,
        `add [domains."${domain}"], or give its list: FILE`,
      );
    }
    const source = sourceOf(cli, settings, each);
    return {
      domain,
      source,
      policy: { ...each.policy, ...policy },
      mode,
      initialMode: each.mode,
      settingsMode: each.mode,
      ...expectedOf(each, options),
    };
  });
  return { targets, settings };
}

/** What rollcall.toml expects of a domain's list. It holds for a list in FILE too. */
const expectedOf = (
  domain: DomainSettings | undefined,
  { keepPatched, dropPatched }: ListOptions,
): Pick<PublishTarget, "canaries" | "minimum" | "mustNotAppear" | "patched" | "settingsPatched"> => ({
  patched: keepPatched ? "keep" : dropPatched ? "drop" : undefined,
  settingsPatched: domain?.patched,
  canaries: domain?.canaries ?? [],
  minimum: domain?.minimum,
  mustNotAppear: domain?.mustNotAppear,
});

/** The list of a domain, or null for an alias. Nothing is read yet. */
function sourceOf(
  { platform }: Cli,
  { directory, domains }: Settings,
  { domain, sources }: DomainSettings,
): PublishTarget["source"] {
  if (sources.length === 0) return null;
  const { env } = platform;
  return openSources(sources, {
    domain,
    domains: new Set(domains.map((each) => each.domain)),
    env,
    sleep: platform.sleep,
    fetch: platform.fetch,
    path: (text) => resolve(directory, text),
  });
}

function overridesOf(options: ListOptions): { policy: Partial<DomainPolicy>; mode: Mode | undefined } {
  const { grace } = options;
  return {
    policy: grace === undefined ? {} : { grace },
    mode: MODES.find((mode) => options[mode]),
  };
}

/** A domain that the user typed, in A-labels. @throws CliError exit 2 */
export function domainOf(text: string): string {
  const domain = toALabel(text);
  if (domain === null) throw usageError(`"${text}" is not a domain name`, "write it like example.com");
  return domain;
}

/** `--state`, for commands that read or write what this host published. */
export const stateOption = (): Option =>
  new Option(
    "--state <folder>",
    "folder for status, lock and lists (default: .rollcall next to the settings file, or that of the package's sync)",
  );

/** The state folder: the one that is named, that of the package's sync, or the one next to the settings file. */
export function stateFolderOf(cli: Cli, { directory }: Settings, named: string | undefined): string {
  if (named !== undefined) return cli.path(named);
  return directory === cli.installed.folder ? cli.installed.state : join(directory, ".rollcall");
}

/**
 * Where this host stores what it published: in the state folder, or without settings in the user's.
 * @returns null if there is no such place
 */
export function listStoreOf(
  cli: Cli,
  settings: Settings | null,
  { state }: { readonly state?: string },
): ListStore | null {
  const { env, homeDirectory } = cli.platform;
  if (settings !== null) return new ListStore(stateFolderOf(cli, settings, state));
  if (state !== undefined) return new ListStore(cli.path(state));
  if (env.XDG_STATE_HOME) return new ListStore(join(env.XDG_STATE_HOME, "rollcall"));
  return homeDirectory === null ? null : new ListStore(join(homeDirectory, ".local", "state", "rollcall"));
}

/**
 * Stores what a command publishes, for the next plan: what each source gave, and the names unless that is turned off. Null if
 * this host has no place for it.
 */
export function listRecorderOf(
  cli: Cli,
  settings: Settings | null,
  options: EdgeOptions & { readonly keepList?: boolean; readonly state?: string },
): ListRecorder | null {
  const store = listStoreOf(cli, settings, options);
  if (store === null) return null;
  const warn = (text: string): void => cli.output.warn(text);
  const keepsNames = options.keepList !== false && settings?.keepLists !== false;
  return new ListRecorder(store, cli.url(options), cli.platform, warn, { keepsNames });
}

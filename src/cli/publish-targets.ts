import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type DomainPolicy, type Mode, toALabel } from "../directory/index.ts";
import { KeptLists } from "../publish/index.ts";
import type { Cli } from "./context.ts";
import { inputError, usageError } from "./exit.ts";
import { readSettings, SETTINGS_FILE, type Settings } from "./settings.ts";

/** Options of every command that reads lists. */
export interface ListOptions {
  readonly domain?: readonly string[];
  readonly config?: string;
  readonly observe?: boolean;
  readonly enforce?: boolean;
  readonly grace?: number;
  /** What {@link ListOptions.grace} was called first. */
  readonly departureGrace?: number;
  readonly skipInvalid?: boolean;
  readonly force?: boolean;
}

/** One domain to be published, and what is to become of it. */
export interface Job {
  readonly domain: string;
  /** Absolute path of the list, null for an alias. */
  readonly list: string | null;
  /** The path as it is shown. */
  readonly shown: string;
  readonly policy: Partial<DomainPolicy>;
  readonly mode: Mode | undefined;
  readonly canaries: readonly string[];
}

export interface Jobs {
  readonly jobs: readonly Job[];
  readonly settings: Settings | null;
}

/** Adds the options of {@link ListOptions}. */
export function withListOptions(command: Command): Command {
  return command
    .argument(
      "[file]",
      "the domain's list: CSV (header address[,state]) if it ends in .csv, else an address a line",
    )
    .option("--domain <domain>", "the domain; may be repeated where no file is given", collect)
    .option("--config <file>", `settings file (default: ${SETTINGS_FILE} in the working directory)`)
    .addOption(new Option("--observe", "accept and note what would be refused; stored").conflicts("enforce"))
    .addOption(new Option("--enforce", "refuse what the list lacks; stored"))
    .option("--grace <seconds>", "how long a name that leaves is deferred; stored", seconds)
    .addOption(new Option("--departure-grace <seconds>").argParser(seconds).conflicts("grace").hideHelp())
    .option("--skip-invalid", "leave out malformed lines, in place of publishing nothing")
    .option("--force", "override the guard; recorded");
}

/** Collects an option that may be repeated. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

function seconds(text: string): number {
  if (!/^\d{1,7}$/.test(text) || Number(text) > 30 * 86_400) {
    throw new InvalidArgumentError("It must be a whole number of seconds, at most 2592000 (30 days).");
  }
  return Number(text);
}

/**
 * What is to be published: FILE for the one --domain, or else what rollcall.toml says of every domain, or of
 * those that are named. Policy and mode of rollcall.toml count only in the second case, so that a publish of a
 * file keeps what is stored; its canaries always do.
 */
export function jobsOf(cli: Cli, file: string | undefined, options: ListOptions): Jobs {
  const settings = settingsOf(cli, options.config);
  const domains = (options.domain ?? []).map(domainOf);
  const overrides = overridesOf(options);
  if (file !== undefined) {
    const domain = domains[0];
    if (domain === undefined || domains.length > 1) {
      throw usageError("a list belongs to one domain", `name it: --domain example.com ${file}`);
    }
    const canaries = settings?.domains.find((each) => each.domain === domain)?.canaries ?? [];
    const job = {
      domain,
      list: cli.path(file),
      shown: file,
      canaries,
      policy: overrides.policy,
      mode: overrides.mode,
    };
    return { jobs: [job], settings };
  }
  if (settings === null) {
    throw usageError(
      `there is no list: neither a file is given, nor is there a ${SETTINGS_FILE} here`,
      "give --domain example.com FILE, or write a rollcall.toml with `rollcall init`",
    );
  }
  const known = new Map(settings.domains.map((each) => [each.domain, each]));
  const chosen = domains.length === 0 ? [...known.keys()] : domains;
  if (chosen.length === 0) {
    throw inputError(
      `${settings.file} names no domain`,
      'add a table such as [domains."example.com"] with its list',
    );
  }
  const jobs = chosen.map((domain): Job => {
    const each = known.get(domain);
    if (each === undefined) {
      throw inputError(
        `${settings.file} has no domain ${domain}`,
        `add [domains."${domain}"], or give its list: FILE`,
      );
    }
    return { ...each, policy: { ...each.policy, ...overrides.policy }, mode: overrides.mode ?? each.mode };
  });
  return { jobs, settings };
}

function overridesOf(options: ListOptions): { policy: Partial<DomainPolicy>; mode: Mode | undefined } {
  const grace = options.grace ?? options.departureGrace;
  return {
    policy: grace === undefined ? {} : { grace },
    mode: options.observe ? "observe" : options.enforce ? "enforce" : undefined,
  };
}

/** The settings file: the one that is named, which must be there, or the one that lies here. */
export function settingsOf(cli: Cli, file: string | undefined): Settings | null {
  const settings = readSettings(cli.path(file ?? SETTINGS_FILE), file ?? SETTINGS_FILE);
  if (settings === null && file !== undefined) throw inputError(`there is no ${file}`, "check --config");
  return settings;
}

/** A domain given by a person, in A-labels. @throws CliError exit 2 */
export function domainOf(text: string): string {
  const domain = toALabel(text);
  if (domain === null) throw usageError(`"${text}" is no domain`, "write it like example.com");
  return domain;
}

/**
 * Where this host remembers what it published: beside rollcall.toml, else in the user's state folder.
 * @returns null where there is no such place
 */
export function keptListsOf(cli: Cli, settings: Settings | null): KeptLists | null {
  const { env, homeDirectory } = cli.platform;
  if (settings !== null) return new KeptLists(join(settings.directory, ".rollcall"));
  if (env.XDG_STATE_HOME) return new KeptLists(join(env.XDG_STATE_HOME, "rollcall"));
  return homeDirectory === null ? null : new KeptLists(join(homeDirectory, ".local", "state", "rollcall"));
}

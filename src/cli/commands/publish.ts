import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Command } from "commander";
import { MODES } from "../../directory/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import {
  type Confirmation,
  decodePlanFile,
  isPlanFile,
  type PlannedList,
  type PublishPorts,
  type PublishResult,
  publishLists,
  publishPlanFile,
} from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT, usageError } from "../exit.ts";
import { plural } from "../output.ts";
import {
  type ListOptions,
  listRecorderOf,
  stateOption,
  type Targets,
  targetsOf,
  withListOptions,
  withPatchedOptions,
} from "../publish-targets.ts";
import { planJson, showPlan } from "../render-plan.ts";

interface PublishOptions extends EdgeOptions, ListOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly newKey?: boolean;
  readonly note?: string;
  readonly keepList: boolean;
}

const HELP = `
Without a file, publishes every domain of rollcall.toml, or those named with --domain; at most 500 in one commit.
A list that is already published changes nothing. With a list in a file, policy and mode stay as stored, whatever rollcall.toml
says about the domain; what it expects of the list still applies (canaries, minimum, must_not_appear).

With a plan that \`rollcall plan --out FILE\` wrote, publishes exactly that plan, or stops if the list was changed since.

This host stores the names of the list it published last (in .rollcall/ next to rollcall.toml, otherwise in the user's
state folder; mode 0600), so that the plan can show who joins and who leaves. --no-keep-list, or keep_lists = false in
rollcall.toml, turns this off.

--new-key publishes the list that a domain has, unchanged, under the key of its next epoch. Use it if a key or a replica's
folder may have been stolen, after you have revoked the token. Names cannot be compared across keys, so it is an override,
and the history says so.

Single changes (rollcall add, remove, …) since the last publish that the list does not reflect need a decision: --keep-patched,
--drop-patched, or patched = "keep" or "drop" in rollcall.toml. Kept ones are asked about again, until the list reflects them.
Who was refused with --now stays so until a list without the name was published: only --drop-patched accepts the name before.

With --force, a list that accepts nobody must be confirmed by typing the domain's name; --force --yes does not ask.`;

/** `rollcall publish`: reads lists, shows what would change, and publishes them. */
export function publishCommand(cli: Cli): Command {
  return withPatchedOptions(
    withListOptions(cli.edgeCommand("publish", "publish the mailbox list of one domain, or of all")),
  )
    .addOption(stateOption())
    .option("--yes", "do not ask for confirmation")
    .option("--dry-run", "show the plan and change nothing")
    .option(
      "--new-key",
      "publish the same list under a new key, so that copies of the old key are of no use for it",
    )
    .option("--note <text>", "note for the history, at most 200 characters")
    .option("--no-keep-list", "do not store the list's names on this host")
    .addHelpText("after", HELP)
    .action((file: string | undefined, options: PublishOptions) =>
      file !== undefined && isPlanAt(cli.path(file))
        ? publishPlan(cli, file, options)
        : publish(cli, targetsOf(cli, file, options), options),
    );
}

/** Whether a file begins as a plan does. What cannot be read is for the reader of lists to report. */
function isPlanAt(path: string): boolean {
  try {
    const file = openSync(path, "r");
    try {
      const start = new Uint8Array(64);
      return isPlanFile(start.subarray(0, readSync(file, start)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

/** Options that a plan has decided already. */
const DECIDED = [
  "domain",
  "config",
  ...MODES,
  "grace",
  "skipInvalid",
  "newKey",
  "keepPatched",
  "dropPatched",
] as const;

async function publishPlan(cli: Cli, file: string, options: PublishOptions): Promise<void> {
  const decided = DECIDED.find((name) => options[name] !== undefined);
  if (decided !== undefined) {
    throw usageError(
      `${file} is a plan, and --${decided.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is decided in it`,
      "leave the option out, or make another plan",
    );
  }
  const plan = decodePlanFile(readFileSync(cli.path(file)), file, stablelibHashing);
  const ports = portsOf(cli, options, listRecorderOf(cli, cli.settings(undefined), options));
  const edge = new URL(cli.url(options)).origin;
  report(cli, options, await publishPlanFile(ports, plan, { ...options, edge, shown: file }));
}

async function publish(cli: Cli, { targets, settings }: Targets, options: PublishOptions): Promise<void> {
  const ports = portsOf(cli, options, listRecorderOf(cli, settings, options));
  report(cli, options, await publishLists(ports, targets, options));
}

function portsOf(cli: Cli, options: PublishOptions, recorder: PublishPorts["recorder"]): PublishPorts {
  const { output, platform } = cli;
  return {
    client: cli.client(options),
    hashing: stablelibHashing,
    timers: platform,
    recorder,
    progress: {
      step: output.step,
      planned: (list: PlannedList) => showPlan(output, list, options),
      committed: (generations: Readonly<Record<string, number>>) => {
        for (const [domain, generation] of Object.entries(generations)) {
          output.line(`${output.colors.green("published")} ${domain} as generation ${generation}`);
        }
      },
    },
    confirm: (confirmation) => (options.yes ? Promise.resolve() : confirm(cli, confirmation, options)),
  };
}

function report(
  cli: Cli,
  options: PublishOptions,
  { planned, isRefused, isPublished, generations }: PublishResult,
): void {
  if (options.dryRun && isRefused && !options.force) cli.finish(EXIT.guard);
  cli.output.result({
    published: isPublished,
    domains: planned.map((list) =>
      options.dryRun ? planJson(list) : { ...planJson(list), generation: generations[list.plan.domain] },
    ),
  });
}

async function confirm(
  cli: Cli,
  { changed, emptied, overridesGuard }: Confirmation,
  { newKey }: Pick<PublishOptions, "newKey">,
): Promise<void> {
  for (const { plan } of emptied) {
    await cli.confirmByName(
      `The list of ${plan.domain} accepts nobody: every recipient would be rejected.`,
      plan.domain,
    );
  }
  const others = changed.length - emptied.length;
  const override = newKey ? " under a new key" : overridesGuard ? ", overriding the guard" : "";
  if (others > 0) await cli.confirm(`Publish ${plural(others, "domain")}${override}?`);
}

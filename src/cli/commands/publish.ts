import { type Command, Option } from "commander";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { type Confirmation, ListRecorder, type PlannedList, publishLists } from "../../publish/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT } from "../exit.ts";
import { plural } from "../output.ts";
import {
  type ListOptions,
  listStoreOf,
  type Targets,
  targetsOf,
  withListOptions,
} from "../publish-targets.ts";
import { planJson, showPlan } from "../render-plan.ts";

interface PublishOptions extends EdgeOptions, ListOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly newKey?: boolean;
  readonly keepPatched?: boolean;
  readonly dropPatched?: boolean;
  readonly note?: string;
  readonly keepList: boolean;
}

const HELP = `
Without a file, publishes every domain of rollcall.toml, or those named with --domain; at most 500 in one commit.
A list that is already published changes nothing. With a file, policy and mode stay as stored, whatever rollcall.toml
says about the domain; its canaries still apply.

This host stores the names of the list it published last (in .rollcall/ next to rollcall.toml, otherwise in the user's
state folder; mode 0600), so that the plan can show who joins and who leaves. --no-keep-list, or keep_lists = false in
rollcall.toml, turns this off.

--new-key publishes the list that a domain has, unchanged, under the key of its next epoch. Use it if a key or a replica's
folder may be stolen, after its token is revoked. Names cannot be compared across keys, so it is an override, and the
history says so.

Names that were changed one by one since the last publish, and that the list does not know, need a decision: --keep-patched,
--drop-patched, or patched = "keep" or "drop" in rollcall.toml. Kept ones are asked about again, until the list has them.

With --force, a list that accepts nobody must be confirmed by typing the domain's name; --force --yes does not ask.`;

/** `rollcall publish`: reads lists, shows what would change, and publishes them. */
export function publishCommand(cli: Cli): Command {
  return withListOptions(cli.edgeCommand("publish", "publish the mailbox list of one domain, or of all"))
    .option("--yes", "do not ask for confirmation")
    .option("--dry-run", "show the plan and change nothing")
    .option(
      "--new-key",
      "publish the same list under a new key, so that copies of the old key are of no use for it",
    )
    .addOption(
      new Option(
        "--keep-patched",
        "keep single changes (rollcall add, remove, …) that the list does not know",
      ).conflicts("dropPatched"),
    )
    .addOption(new Option("--drop-patched", "publish the list as it is, without such changes"))
    .option("--note <text>", "note for the history, at most 200 characters")
    .option("--no-keep-list", "do not store the list's names on this host")
    .addHelpText("after", HELP)
    .action((file: string | undefined, options: PublishOptions) =>
      publish(cli, targetsOf(cli, file, options), options),
    );
}

async function publish(
  cli: Cli,
  { targets, settings }: Targets,
  { yes, keepList, keepPatched, dropPatched, ...rest }: PublishOptions,
): Promise<void> {
  const { output, platform } = cli;
  const options = { ...rest, patched: keepPatched ? "keep" : dropPatched ? "drop" : undefined } as const;
  const store = keepList && settings?.keepLists !== false ? listStoreOf(cli, settings) : null;
  const warn = (text: string): void => output.warn(text);
  const ports = {
    client: cli.client(options),
    hashing: stablelibHashing,
    timers: platform,
    recorder: store === null ? null : new ListRecorder(store, cli.url(options), platform, warn),
    progress: {
      step: output.step,
      planned: (list: PlannedList) => showPlan(output, list),
      committed: (generations: Readonly<Record<string, number>>) => {
        for (const [domain, generation] of Object.entries(generations)) {
          output.line(`${output.colors.green("published")} ${domain} as generation ${generation}`);
        }
      },
    },
    confirm: (confirmation: Confirmation) => (yes ? Promise.resolve() : confirm(cli, confirmation, options)),
  };
  const { planned, isRefused, isPublished, generations } = await publishLists(ports, targets, options);
  if (options.dryRun && isRefused && !options.force) cli.finish(EXIT.guard);
  output.result({
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

import { type Command, InvalidArgumentError } from "commander";
import type { RestoredResult } from "../../api/index.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { EXIT, inputError } from "../exit.ts";
import { instant, plural } from "../output.ts";

interface RestoredOptions extends EdgeOptions {
  readonly partition: number;
  readonly yes?: boolean;
}

const HELP = `
Run it while ROLLCALL_PAUSED is set, once for each partition that was restored. docs/restoring.md has every step.
Afterwards publish every list: what was published since that time is lost. Exits with 1 if it names domains: those that
have no list now, or one that was made under another master key or canonicaliser.`;

/** `rollcall registry restored`, for admin. */
export function registryCommand(cli: Cli): Command {
  const restored = cli
    .edgeCommand("restored", "continue a Registry whose storage was restored to an earlier time")
    .option("--partition <number>", "the partition that was restored", partitionNumber, 0)
    .option("--yes", "do not ask for confirmation")
    .addHelpText("after", HELP)
    .action((options: RestoredOptions) => continueRestored(cli, options));
  return cli.command("registry", "repair the system of record").addCommand(restored);
}

function partitionNumber(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("Must be the number of a partition.");
  return Number(text);
}

async function continueRestored(cli: Cli, { partition, yes, ...options }: RestoredOptions): Promise<void> {
  const { output } = cli;
  const client = cli.client(options);
  const { partitions } = await client.registry();
  const before = partitions.find((each) => each.partition === partition);
  if (before === undefined) {
    throw inputError(
      `there is no partition ${partition}: the deployment has ${partitions.length}`,
      "check --partition; they are numbered from 0",
    );
  }
  if (before.incarnation === null) {
    throw inputError(
      `partition ${partition} was never initialised`,
      "publish the lists: a new Registry needs no repair",
    );
  }
  if (before.paused !== true) {
    throw inputError(
      `partition ${partition} is not paused`,
      'set ROLLCALL_PAUSED = "true" under [vars] in wrangler.toml and deploy; an object may run the old settings for five minutes',
    );
  }
  output.line(`partition ${partition}  log of ${instant(before.incarnation)}, newest number ${before.as_of}`);
  output.line("Every list that it has becomes the newest one again. What was published since is lost.");
  if (!yes) await cli.confirm("Was its storage restored, and should its log continue from here?");
  const result = await client.continueRegistry({ partition, expect: before.incarnation });
  show(cli, result);
  output.result(result);
  if (result.lost.length + result.unusable.length > 0) cli.finish(EXIT.failed);
}

function show(cli: Cli, { partition, continued, revoked, lost, unusable, as_of }: RestoredResult): void {
  const { output } = cli;
  const done = output.colors.green("continued");
  output.line(`${done} partition ${partition}: ${plural(continued, "list")}, newest number ${as_of}`);
  if (revoked > 0) output.line(`revoked ${plural(revoked, "token")} again that KV showed as revoked`);
  for (const domain of lost) {
    output.warn(`${domain} was published or deleted since: publish it, or it is not served`);
  }
  for (const domain of unusable) {
    output.warn(`${domain} was published under another master key or canonicaliser: publish it with --force`);
  }
  output.line("Publish every list, run `rollcall doctor`, then remove ROLLCALL_PAUSED and deploy.");
}

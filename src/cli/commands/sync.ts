import { type Command, InvalidArgumentError } from "commander";
import { lockFolder } from "../../bridge/index.ts";
import { Wakeup, watch } from "../../publish/index.ts";
import type { Cli } from "../context.ts";
import { CliError, EXIT, inputError, usageError } from "../exit.ts";
import { explain } from "../explain.ts";
import { onFileChange } from "../file-events.ts";
import { duration } from "../output.ts";
import { stateFolderOf, stateOption } from "../publish-targets.ts";
import { type SyncOptions, SyncRunner, syncPlanOf } from "../sync-run.ts";
import { time } from "../times.ts";

interface SyncCommandOptions extends SyncOptions {
  readonly watch?: boolean;
  readonly interval?: number;
}

const HELP = `
Publishes every domain of rollcall.toml without asking, for cron and systemd timers. Prints only changes and failures. A
domain that fails does not stop the others. Nothing overrides the guard: a list that it refuses stays as it was published.

Writes status.json into the state folder, and with --metrics-file a file for the textfile collector of Prometheus's node_exporter.
The state folder also has the lists that were published last, unless keep_lists = false, and the lock.

With --watch it stays, and runs again after the interval, 30 s after a failure (then 60 s, and so on up to the interval), and
2 s after a file that a source reads was replaced.

Signals:
  SIGTERM  end: a list that is being read is dropped, a commit that has begun is finished
  SIGHUP   with --watch: read settings and token again, and run

Exit codes: if some domains failed, the code that \`rollcall publish\` would end with, or 1 for failures of several kinds; 75 if
another run holds the lock, and nothing was done.`;

const DEFAULT_INTERVAL_MS = 15 * 60_000;
const LONGEST_INTERVAL_MS = 7 * 86_400_000;

/** `rollcall sync`: publishes all domains without asking, once or again and again. */
export function syncCommand(cli: Cli): Command {
  return cli
    .edgeCommand("sync", "publish every domain of rollcall.toml, for cron and timers")
    .addOption(stateOption())
    .option("--metrics-file <file>", "write metrics for the textfile collector of node_exporter")
    .option("--watch", "stay, and run again")
    .option("--interval <time>", "with --watch: how often to run, such as 90s or 1h (default: 15m)", interval)
    .addHelpText("after", HELP)
    .action((options: SyncCommandOptions) => sync(cli, options));
}

function interval(text: string): number {
  const ms = time(text);
  if (ms < 1_000 || ms > LONGEST_INTERVAL_MS) throw new InvalidArgumentError("Must be from 1s to 7d.");
  return ms;
}

async function sync(cli: Cli, options: SyncCommandOptions): Promise<void> {
  const { platform } = cli;
  if (options.watch && cli.output.json) {
    throw usageError(
      "--watch does not end, so it has no result for --json",
      "read status.json in the state folder",
    );
  }
  if (!options.watch && options.interval !== undefined) {
    throw usageError("--interval is for --watch", "add --watch, or remove --interval");
  }
  const plan = syncPlanOf(cli, options);
  const folder = stateFolderOf(cli, plan.settings, options.state);
  const lock = await lockFolder(folder, platform);
  if (lock.kind === "unwritable") {
    throw inputError(
      `cannot use the state folder ${folder}: ${lock.error.message}`,
      "check --state and its permissions",
    );
  }
  if (lock.kind === "busy") {
    throw new CliError(
      EXIT.busy,
      `another rollcall sync (process ${lock.pid}) uses ${folder}; nothing was done`,
      "wait until it ends; if it never does, give its sources a timeout",
    );
  }
  try {
    const stop = new AbortController();
    const undo = platform.onStop(() => stop.abort());
    const runner = new SyncRunner(cli, folder, options);
    if (options.watch) await keepWatching(cli, runner, plan, options, stop.signal);
    else {
      const { exit, status } = await runner.run(plan, stop.signal);
      cli.finish(exit);
      cli.output.result(status);
    }
    undo();
  } finally {
    await lock.release();
  }
}

async function keepWatching(
  cli: Cli,
  runner: SyncRunner,
  first: ReturnType<typeof syncPlanOf>,
  options: SyncCommandOptions,
  stop: AbortSignal,
): Promise<void> {
  const { platform, output } = cli;
  const intervalMs = options.interval ?? DEFAULT_INTERVAL_MS;
  const wakeup = new Wakeup();
  const cannotWatch = (path: string, why: string): void =>
    output.warn(`cannot watch ${path}: ${why}; changes there are found after the interval`);
  let plan = first;
  let unwatch = onFileChange(plan.files, wakeup.wake, cannotWatch);
  let isReloadDue = false;
  platform.onHangup(() => {
    isReloadDue = true;
    wakeup.wake();
  });
  const reload = (): void => {
    isReloadDue = false;
    try {
      plan = syncPlanOf(cli, options);
    } catch (error) {
      const { message, details, hint } = explain(error);
      output.failure(`the old settings stay in use: ${message}`, details, hint);
      return;
    }
    unwatch();
    unwatch = onFileChange(plan.files, wakeup.wake, cannotWatch);
    output.line("settings were read again");
  };
  let last: Awaited<ReturnType<SyncRunner["run"]>> | null = null;
  const random = (): number => (platform.randomBytes(1)[0] as number) / 255;
  output.line(`publishing every ${duration(intervalMs)} to ${plan.edge}`);
  await watch(
    { sleep: platform.sleep, chance: random },
    {
      intervalMs,
      wakeup,
      stop,
      async run() {
        if (isReloadDue) reload();
        last = await runner.run(plan, stop);
        return last.exit !== EXIT.done;
      },
      pausing(ms) {
        if (last !== null) runner.write({ ...last.status, next: Math.round(platform.now() + ms) });
      },
    },
  );
  unwatch();
}

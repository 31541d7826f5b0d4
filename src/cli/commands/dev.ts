import { relative } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { createClient } from "../../client/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { Cli } from "../context.ts";
import { frontEndToken, startFrontEnd } from "../dev/front-end.ts";
import { HOST, requireFreePort, requireRuntime, startEdge } from "../dev/local-edge.ts";
import { isChild, onParentGone, runInChild } from "../dev/node.ts";
import { openState, type Vars } from "../dev/state.ts";
import { killGroupBehindMe } from "../dev/watchdog.ts";
import { type ExitCode, inputError } from "../exit.ts";

interface DevOptions {
  readonly port: number;
  readonly state: string;
  readonly frontEnd?: number;
  readonly newMasterKey?: boolean;
}

const HELP = `
Works in a clone of the repository only: the installed command has no runtime of Workers.

Stores lists in the state folder and listens on ${HOST} only. Reads secrets from .dev.vars in the current folder, or
else from the state folder, where the first start creates them. Settings of the Worker (ROLLCALL_WINDOW, …) come from
the same file; environment variables override them.

To rehearse a change of the master key: stop it, put the new ROLLCALL_MASTER_KEY into .dev.vars, and start it with
--new-master-key. Then do what a deployment needs: publish each list with --force and create new tokens. docs/deploying.md
has the steps.`;

/** `rollcall dev`: the edge on this machine, in the same runtime as at Cloudflare. */
export function devCommand(cli: Cli): Command {
  return cli
    .command("dev", "run an edge on this machine")
    .option("--port <port>", "port of the edge", port, 8787)
    .option("--state <folder>", "folder for lists and secrets", ".rollcall/dev")
    .option("--front-end <port>", "also run an SMTP server that checks recipients with the edge", port)
    .option("--new-master-key", "use a state folder that was made with another ROLLCALL_MASTER_KEY")
    .addHelpText("after", HELP)
    .action(async (options: DevOptions) => {
      requireRuntime();
      if (isChild(cli.platform)) {
        const stopped = killGroupBehindMe();
        await dev(cli, options).finally(stopped);
      } else cli.finish((await runInChild(cli.platform)) as ExitCode);
    });
}

async function dev(cli: Cli, options: DevOptions): Promise<void> {
  const { platform, output } = cli;
  await requireFreePort(options.port, "--port");
  if (options.frontEnd !== undefined) await requireFreePort(options.frontEnd, "--front-end");

  const stopped = new Promise<string>((resolve) => {
    // Never removed: a second signal must not cut short the shutdown.
    platform.onStop(resolve);
    onParentGone(() => resolve("SIGTERM"));
  });
  const state = openState(cli.path(options.state), options.state, {
    cwd: platform.cwd,
    randomBytes: platform.randomBytes,
    newMasterKey: options.newMasterKey === true,
  });
  if (state.keyChanged) {
    output.warn(
      `${options.state} now has another ROLLCALL_MASTER_KEY: checks are deferred until you publish each list again ` +
        "with --force, and tokens must be created again",
    );
  }
  // Newest first. Each runs, even if another fails.
  const undo: (() => unknown)[] = [state.close];
  try {
    const vars = withEnvironment(state.vars, platform.env);
    const edge = await startEdge(options.port, state.storage, vars, (line) => output.note(line));
    undo.unshift(edge.stop);

    const adminToken = vars.ROLLCALL_ADMIN_TOKEN as string;
    const ports = { fetch: platform.fetch, now: platform.now, sleep: platform.sleep };
    const client = createClient({ ...ports, url: edge.url, token: adminToken });
    const { faults } = await client.health();
    if (faults.length > 0)
      throw inputError(faults.join("; "), "correct it in .dev.vars or in the environment");
    await client.initialiseRegistry();

    let smtp: string | null = null;
    if (options.frontEnd !== undefined) {
      const token = await frontEndToken(edge.url, adminToken, state.checkTokenFile, ports);
      const frontEnd = await startFrontEnd(edge.url, token, options.frontEnd);
      undo.unshift(frontEnd.close);
      smtp = `smtp://${HOST}:${frontEnd.port}`;
    }

    const tokenFile = relative(platform.cwd, state.adminTokenFile) || state.adminTokenFile;
    output.line(`Rollcall is ready at ${edge.url}`);
    if (smtp !== null) output.line(`SMTP front end at ${smtp}, its token in ${options.state}/check-token`);
    output.line(`admin token in ${tokenFile}; Ctrl-C stops`);
    output.result({ ready: true, url: edge.url, front_end: smtp, admin_token_file: tokenFile });
    await stopped;
  } finally {
    for (const step of undo) {
      try {
        await step();
      } catch (error) {
        output.warn(`while stopping: ${messageOf(error)}`);
      }
    }
  }
}

/** Adds the Worker's settings from the environment. Secrets come from files only. */
function withEnvironment(vars: Vars, env: Readonly<Record<string, string | undefined>>): Vars {
  const settings: Record<string, string> = {};
  for (const name of SETTINGS) {
    const value = env[name];
    if (value !== undefined) settings[name] = value;
  }
  return { ...vars, ...settings };
}

const SETTINGS = [
  "ROLLCALL_WINDOW",
  "ROLLCALL_ACCEPT_GRACE",
  "ROLLCALL_CACHE_BYTES",
  "ROLLCALL_PARTITIONS",
  "ROLLCALL_HISTORY_DAYS",
  "ROLLCALL_KV_WRITES",
  "ROLLCALL_PAUSED",
] as const;

function port(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError("Must be a port from 0 to 65535; 0 chooses a free one.");
}

/** `rollcall doctor --bridge`: the mail host as its examination sees it, with the commands and sockets of the system. */
import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import {
  createSteadyClock,
  expiryOf,
  knownLogs,
  LISTENER_NAMES,
  type OlderLog,
  olderThanKnown,
  showAddress,
} from "../bridge/index.ts";
import type { RollcallClient } from "../client/index.ts";
import { toHex } from "../directory/index.ts";
import { stablelibHashing } from "../directory/stablelib.ts";
import {
  type CommandResult,
  examineMailHost,
  type ListenerSetting,
  type SocketAddress,
  type StepResult,
} from "../inspect/index.ts";
import { bridgeParts } from "./bridge-configuration.ts";
import type { Cli, EdgeOptions } from "./context.ts";
import type { Platform } from "./platform.ts";

/** Longest time for a command of the system, ms: the maps of Postfix have no timeout of their own. */
const RUN_MS = 15_000;
/** Longest time for an answer of the bridge, ms: it answers within 4 s. */
const ASK_MS = 6_000;

/** Examines the host of a bridge. The first step reads the settings: without them, there is nothing to examine. */
export async function* examineBridgeHost(cli: Cli, options: EdgeOptions): AsyncGenerator<StepResult> {
  const { platform } = cli;
  const clock = createSteadyClock(platform.steady, platform.now);
  let parts: ReturnType<typeof bridgeParts>;
  try {
    parts = bridgeParts(cli, { ...options }, clock, true);
  } catch (error) {
    yield { step: "settings", state: "failed", error };
    return;
  }
  const { settings, token, client, replica, pool, origin } = parts;
  const listeners = LISTENER_NAMES.flatMap((name) =>
    settings[name].map((address): ListenerSetting => ({ name, address, shown: showAddress(address) })),
  );
  const shown = listeners.map((each) => `${each.name} ${each.shown}`).join(", ");
  const where = cli.settingsFile(options.config);
  const named = options.tokenFile ?? (platform.env.ROLLCALL_TOKEN ? null : cli.installedToken(options));
  const file = named === null ? null : cli.path(named);
  yield {
    step: "settings",
    state: "ok",
    detail: `${cli.settings(options.config) === null ? "no file" : where}; edge ${origin}; ${shown || "no listener of its own"}`,
  };
  try {
    yield* examineMailHost({
      client,
      clock: platform,
      listeners,
      token: { expires: expiryOf(token.current), file },
      replica: settings.replica,
      olderLog: () => olderLog(replica, settings.replica, platform),
      isRunning: platform.isRunning,
      edgeTime: async () => {
        const signal = new AbortController().signal;
        const asked = { method: "GET", url: `${origin}/healthz`, headers: {}, body: null } as const;
        const reply = await pool.send({ ...asked, idempotent: true, limit: 65_536, signal });
        const time = Date.parse(reply.header("date") ?? "");
        return Number.isNaN(time) ? null : time;
      },
      ask,
      run,
      random: platform.randomBytes(8),
    });
  } finally {
    pool.close();
  }
}

/** How the Registry's log is older than what the replica's folder knows; null if it is not. */
async function olderLog(
  client: Pick<RollcallClient, "changes">,
  folder: string | null,
  { randomBytes }: Pick<Platform, "randomBytes">,
): Promise<OlderLog | null> {
  const logs = folder === null ? [] : await knownLogs(folder, stablelibHashing);
  for (const { partition, ...known } of logs) {
    const since = { incarnation: known.incarnation, number: known.number };
    const { answer } = await client.changes({ partition, since, nonce: toHex(randomBytes(16)) });
    const older = olderThanKnown({ incarnation: answer.incarnation, number: answer.asOf }, since);
    if (older !== null) return older;
  }
  return null;
}

function run(
  file: string,
  args: readonly string[],
  { input = "", cwd }: { readonly input?: string; readonly cwd?: string } = {},
): Promise<CommandResult | null> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { timeout: RUN_MS, cwd }, (error, stdout, stderr) => {
      const { code, killed } = (error ?? {}) as { code?: unknown; killed?: boolean };
      if (code === "ENOENT") return resolve(null);
      const late = killed === true ? `no answer within ${RUN_MS / 1000} s` : "";
      const status = error === null ? 0 : typeof code === "number" ? code : null;
      resolve({ code: status, stdout, stderr: stderr || late });
    });
    // A command that ends without reading closes the pipe.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

function ask(address: SocketAddress, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const to = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    const socket = createConnection({ ...to, allowHalfOpen: true });
    let reply = "";
    socket.setTimeout(ASK_MS, () => socket.destroy(new Error(`no answer within ${ASK_MS / 1000} s`)));
    socket.setEncoding("utf8").on("data", (text: string) => {
      reply += text;
    });
    socket.on("end", () => {
      socket.destroy();
      resolve(reply);
    });
    socket.on("error", (error) => reject(error));
    // An answer ends the connection, since the question did.
    socket.end(question);
  });
}

import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { VERSION } from "../../api/index.ts";
import {
  askEdgeWith,
  type BridgeSettings,
  createSteadyClock,
  DEFAULTS,
  Fault,
  FolderError,
  flagOf,
  ListenError,
  PROTOCOL_NAMES,
  readSetting,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  startBridge,
} from "../../bridge/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import type { Cli, EdgeOptions } from "../context.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { SETTINGS_FILE } from "../settings.ts";

interface BridgeCommandOptions extends EdgeOptions {
  readonly config?: string;
  /** Settings by the names that commander gives them. */
  readonly [attribute: string]: unknown;
}

/** For the replica's polls and fetches. */
const REPLICA_CONNECTIONS = 10;

const HELP = `
Listens on loopback and unix sockets only, and prints "ready" when it listens. SIGTERM stops it within 5 s, after every
question is answered; SIGHUP has no effect. Settings come from [bridge] in ${SETTINGS_FILE} of the current folder, or in the
file given with --config; flags take precedence. Logs go to standard error as JSON lines without addresses.

docs/bridge.md shows how to set up the mail server.`;

/** `rollcall bridge`: answers the lookup protocols of MTAs. */
export function bridgeCommand(cli: Cli): Command {
  const command = cli
    .edgeCommand("bridge", "answer the lookups of Postfix, Exim and Sendmail")
    .option("--config <file>", `settings file (default: ${SETTINGS_FILE}, if it exists)`)
    .addHelpText("after", HELP);
  for (const name of SETTING_NAMES) command.addOption(optionOf(name));
  return command.action((options: BridgeCommandOptions) => bridge(cli, options));
}

/** A setting's flag. Addresses add up; of other values the last one counts. */
function optionOf(name: SettingName): Option {
  const { about, placeholder } = SETTINGS[name];
  if (placeholder === null) return new Option(flagOf(name), about);
  return new Option(`${flagOf(name)} <${placeholder}>`, about).argParser((text, before: unknown) => {
    const read = readSetting(name, text);
    if (read instanceof Fault) throw new InvalidArgumentError(`It ${read.why}.`);
    return Array.isArray(read) && Array.isArray(before) ? [...before, ...read] : read;
  });
}

async function bridge(cli: Cli, options: BridgeCommandOptions): Promise<void> {
  const { platform, output } = cli;
  const settings = settingsOf(cli, options);
  const stopped = new Promise<string>((resolve) => {
    // Never removed: a second signal must not interrupt the stop.
    platform.onStop(resolve);
  });
  let hangup = (): void => undefined;
  const terminalClosed = new Promise<string>((resolve) => {
    // SIGHUP means that the terminal was closed, or asks a service, which has no terminal, to read its settings again.
    const isAttached = platform.stdoutIsTerminal || platform.stderrIsTerminal;
    platform.onHangup(() => (isAttached ? resolve("SIGHUP") : hangup()));
  });
  const clock = createSteadyClock(platform.steady, platform.now);
  // A connection for each question under way, one for the probe of an open breaker, and one for the lists.
  const pool = platform.httpPool(settings.max_questions + 2 + REPLICA_CONNECTIONS);
  const tuning = { userAgent: `rollcall-bridge/${VERSION}`, now: clock.now, send: pool.send };
  const client = cli.client(options, { ...tuning, timeoutMs: 1000 * settings.timeout });
  try {
    const running = await startBridge({
      clock,
      timers: { sleep: platform.sleep },
      settings,
      ask: askEdgeWith(client),
      lists: {
        page: (after) => client.domainPage(after),
        chance: () => (platform.randomBytes(1)[0] as number) / 256,
      },
      replica: {
        // Its requests may take longer than a mail server waits.
        edge: cli.client(options, tuning),
        host: {
          clocks: { monotonic: platform.steady, wall: platform.now },
          random: { bytes: platform.randomBytes },
          hashing: stablelibHashing,
          owner: platform,
        },
      },
      token: cli.token(options),
      edge: new URL(cli.url(options)).origin,
      writeLog: platform.writeError,
      wall: platform.now,
    });
    hangup = running.hangup;
    for (const { name, address } of running.listeners) output.line(`${name} on ${address}`);
    output.line("Rollcall bridge is ready; Ctrl-C stops");
    output.result({ ready: true, listeners: running.listeners });
    await running.stop(await Promise.race([stopped, terminalClosed]));
  } catch (error) {
    if (error instanceof FolderError) throw new CliError(EXIT.failed, error.message, error.hint);
    if (!(error instanceof ListenError)) throw error;
    throw new CliError(
      EXIT.failed,
      error.message,
      "use another address, or stop the process that listens there",
    );
  } finally {
    // No connection outlives the bridge.
    pool.close();
  }
}

/** Flags take precedence over rollcall.toml, and that over the defaults. @throws CliError */
function settingsOf(cli: Cli, options: BridgeCommandOptions): BridgeSettings {
  const file = cli.settings(options.config);
  const given: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const value = options[optionOf(name).attributeName()];
    if (value !== undefined) given[name] = value;
  }
  const settings: BridgeSettings = { ...DEFAULTS, ...file?.bridge, ...given };
  if (PROTOCOL_NAMES.every((name) => settings[name].length === 0)) {
    throw usageError(
      "no listener is configured",
      `add one, such as --socketmap 127.0.0.1:10023, or set it in [bridge] of ${SETTINGS_FILE}`,
    );
  }
  if (settings.replica === null) return settings;
  // A path in the file starts from the file's folder, and one in a flag from the current folder.
  const base = given.replica === undefined ? (file?.directory ?? "") : "";
  return { ...settings, replica: cli.path(join(base, settings.replica)) };
}

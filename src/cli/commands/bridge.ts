import { type Command, InvalidArgumentError, Option } from "commander";
import {
  createSteadyClock,
  Fault,
  FolderError,
  flagOf,
  ListenError,
  readSetting,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  startBridge,
} from "../../bridge/index.ts";
import { stablelibHashing } from "../../directory/stablelib.ts";
import { activatedListeners } from "../activation.ts";
import { type BridgeCommandOptions, configurationOf } from "../bridge-configuration.ts";
import { BridgeService } from "../bridge-service.ts";
import type { Cli } from "../context.ts";
import { CliError, EXIT } from "../exit.ts";
import { SETTINGS_FILE } from "../settings.ts";
import { predecessorOf } from "../takeover.ts";

const HELP = `
Listens on loopback and unix sockets, and prints "ready" when it listens. Settings come from [bridge] in ${SETTINGS_FILE} of the
current folder, or in the file given with --config; flags take precedence. Logs go to standard error as JSON lines without
addresses.

Signals:
  SIGTERM  stop within 5 s, after every question is answered
  SIGHUP   read settings and token again; listeners that did not change stay open
  SIGUSR2  start the installed release as a new process, and hand all sockets and connections over to it

docs/mta shows how to set up the mail server.`;

/** `rollcall bridge`: answers the lookup protocols of MTAs. */
export function bridgeCommand(cli: Cli): Command {
  const command = cli
    .clientCommand("bridge", "answer the lookups of the mail server on this host")
    .option("--check-config", "check settings, token and files, and exit without listening")
    .addHelpText("after", HELP);
  for (const name of SETTING_NAMES) command.addOption(optionOf(name));
  return command.action((options: BridgeCommandOptions) => bridge(cli, options));
}

/** A setting's flag. Lists add up; of other values the last one counts. */
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
  const clock = createSteadyClock(platform.steady, platform.now);
  const predecessor = predecessorOf(platform);
  const inherited = predecessor?.listeners ?? activatedListeners(platform.env, platform.pid);
  const read = () => configurationOf(cli, { ...options, asMailHost: true }, clock, inherited.length > 0);
  const configuration = read();
  if (options.checkConfig === true) {
    configuration.edge.close();
    output.line("the settings are valid");
    output.result({ ok: true });
    return;
  }
  const service = new BridgeService(platform, read);
  const running = await startBridge({
    clock,
    timers: { sleep: platform.sleep },
    configuration,
    inherited,
    isSuccessor: predecessor !== null,
    replica: {
      clocks: { monotonic: platform.steady, wall: platform.now, uptime: platform.uptime },
      random: { bytes: platform.randomBytes },
      hashing: stablelibHashing,
      owner: platform,
      predecessor: predecessor === null ? null : platform.parentPid,
    },
    chance: () => (platform.randomBytes(1)[0] as number) / 256,
    writeLog: platform.writeError,
    wall: platform.now,
  }).catch((error: unknown) => {
    if (error instanceof FolderError) throw new CliError(EXIT.failed, error.message, error.hint);
    if (!(error instanceof ListenError)) throw error;
    throw new CliError(
      EXIT.failed,
      error.message,
      "use another address, or stop the process that listens there",
    );
  });
  for (const { name, address } of running.listeners) output.line(`${name} on ${address}`);
  output.line("Rollcall bridge is ready; Ctrl-C stops");
  output.result({ ready: true, listeners: running.listeners });
  await service.run(running, predecessor);
}

import { resolve } from "node:path";
import { VERSION } from "../api/index.ts";
import {
  askEdgeWith,
  type BridgeConfiguration,
  type BridgeSettings,
  DEFAULTS,
  flagOf,
  LISTENER_NAMES,
  remoteFault,
  SETTING_NAMES,
  type SteadyClock,
  type TokenSource,
} from "../bridge/index.ts";
import type { RollcallClient } from "../client/index.ts";
import type { Cli, EdgeOptions } from "./context.ts";
import { proxyOf, readCertificates } from "./edge-connections.ts";
import { CliError, EXIT, usageError } from "./exit.ts";
import { explain } from "./explain.ts";
import type { ConnectionPool } from "./http.ts";
import { SETTINGS_FILE, type Settings } from "./settings.ts";

/** Connections for the polls and fetches of a replica. */
const REPLICA_CONNECTIONS = 10;

/** Options of `rollcall bridge`. */
export interface BridgeCommandOptions extends EdgeOptions {
  readonly config?: string;
  readonly checkConfig?: boolean;
  /** Settings by the names that commander gives them. */
  readonly [attribute: string]: unknown;
}

/**
 * Reads settings, token and certificates, and connects nothing yet. A reload reads them again.
 * @param hasSockets whether the bridge listens even if no setting says where
 * @throws CliError exit 2 or 3
 */
export function configurationOf(
  cli: Cli,
  options: BridgeCommandOptions,
  clock: SteadyClock,
  hasSockets: boolean,
): BridgeConfiguration {
  const { settings, token, client, replica, pool, origin } = bridgeParts(cli, options, clock, hasSockets);
  return {
    settings,
    token,
    edge: {
      ask: askEdgeWith(client),
      page: (after) => client.domainPage(after),
      replica,
      origin,
      // No connection outlives the bridge.
      close: () => pool.close(),
    },
  };
}

/** What a bridge is made of. */
export interface BridgeParts {
  readonly settings: BridgeSettings;
  readonly token: TokenSource;
  readonly client: RollcallClient;
  /** For a replica. */
  readonly replica: RollcallClient;
  readonly pool: ConnectionPool;
  readonly origin: string;
}

/** Like {@link configurationOf}. @throws CliError exit 2 or 3 */
export function bridgeParts(
  cli: Cli,
  options: BridgeCommandOptions,
  clock: SteadyClock,
  hasSockets: boolean,
): BridgeParts {
  const file = cli.settings(options.config);
  const settings = withReplicaPath(cli, settingsOf(file, options, hasSockets), file, options);
  const token = tokenSource(cli, options);
  const origin = new URL(cli.url(options)).origin;
  const ca = settings.ca_file === null ? null : certificatesOf(cli, settings.ca_file, file, options);
  // A connection for each question under way, one for the probe of an open breaker, and one for the lists.
  const proxy = proxyOf(cli.platform, origin);
  const pool = cli.platform.httpPool({
    connections: settings.max_questions + 2 + REPLICA_CONNECTIONS,
    ca,
    proxy,
  });
  const tuning = {
    token: () => token.current,
    userAgent: `rollcall-bridge/${VERSION}`,
    now: clock.now,
    send: pool.send,
  };
  return {
    settings,
    token,
    client: cli.client(options, { ...tuning, timeoutMs: 1000 * settings.timeout }),
    // Its requests may take longer than a mail server waits.
    replica: cli.client(options, tuning),
    pool,
    origin,
  };
}

/** Flags take precedence over rollcall.toml, and that over the defaults. @throws CliError */
function settingsOf(
  file: Settings | null,
  options: BridgeCommandOptions,
  hasSockets: boolean,
): BridgeSettings {
  const given: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const value = options[attributeOf(name)];
    if (value !== undefined) given[name] = value;
  }
  const settings: BridgeSettings = { ...DEFAULTS, ...file?.bridge, ...given };
  if (!hasSockets && LISTENER_NAMES.every((name) => name === "metrics" || settings[name].length === 0)) {
    throw usageError(
      "no listener is configured",
      `add one, such as --socketmap 127.0.0.1:10023, or set it in [bridge] of ${SETTINGS_FILE}`,
    );
  }
  const remote = remoteFault(settings);
  if (remote === null) return settings;
  const { setting, address, why } = remote;
  const what = `"${address}" ${why}`;
  if (given[setting] === undefined && file !== null) {
    throw new CliError(EXIT.input, `${file.file} has errors`, "fix this line", [
      `${file.placeOf(["bridge", setting])}: ${setting} ${what}`,
    ]);
  }
  throw usageError(`option '${flagOf(setting)} <address>' argument '${address}' is invalid. It ${what}.`);
}

/** Options that say where a replica is. */
export interface ReplicaOptions {
  readonly replica?: string;
  readonly config?: string;
}

/** The folder of this host's replica. @throws CliError exit 2 or 3 */
export function replicaFolder(cli: Cli, options: ReplicaOptions): string {
  const file = options.replica === undefined ? cli.settings(options.config) : null;
  const { replica } = withReplicaPath(
    cli,
    { ...DEFAULTS, ...file?.bridge, replica: options.replica ?? file?.bridge?.replica ?? null },
    file,
    { replica: options.replica },
  );
  if (replica !== null) return replica;
  throw usageError("no folder is given", `pass --replica, or --config with a file that has it in [bridge]`);
}

/** Relative paths start at the folder of the settings file, those of the flag at the working directory. */
function withReplicaPath(
  cli: Cli,
  settings: BridgeSettings,
  file: Settings | null,
  options: BridgeCommandOptions,
): BridgeSettings {
  if (settings.replica === null) return settings;
  const isFlag = options.replica !== undefined || file === null;
  const replica = isFlag ? cli.path(settings.replica) : resolve(file.directory, settings.replica);
  return { ...settings, replica };
}

/** The name that commander gives to the value of a flag: `cacheBytes` for `cache_bytes`. */
const attributeOf = (name: string): string =>
  name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function tokenSource(cli: Cli, options: EdgeOptions): TokenSource {
  let current = cli.token(options);
  return {
    get current() {
      return current;
    },
    refresh() {
      try {
        current = cli.token(options);
        return null;
      } catch (error) {
        return explain(error).message;
      }
    },
  };
}

/** Relative paths start at the folder of the settings file, those of the flag at the working directory. */
function certificatesOf(
  cli: Cli,
  shown: string,
  file: Settings | null,
  options: BridgeCommandOptions,
): string {
  const isFlag = options.caFile !== undefined;
  const path = isFlag || file === null ? cli.path(shown) : resolve(file.directory, shown);
  const where = isFlag || file === null ? "--ca-file" : `${file.placeOf(["bridge", "ca_file"])}: ca_file`;
  return readCertificates(path, where, shown);
}

/** Services that speak socketmap on a unix socket: the bridge and its peers, a process each. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { root, type Started, start, temporaryFolder } from "./processes.ts";

/** Debian's own: another one on the path does not have its packages. */
const PYTHON = "/usr/bin/python3";

/** A service that is ready. */
export interface SocketmapService extends Started {
  /** Where Postfix finds its tables: `unix:/path`. */
  readonly address: string;
  /** The same over TCP, if the service listens there: `inet:127.0.0.1:PORT`. */
  readonly tcp: string | null;
}

/** Where the edge is, and a token that may check. */
export interface Asking {
  readonly origin: string;
  readonly token: string;
}

type Environment = Readonly<Record<string, string>>;

/** @param settings environment of the peer; SOCKET is the path to listen on */
export const servePeer = (script: string, settings: Environment = {}): Promise<SocketmapService> =>
  serve(script.endsWith(".py") ? PYTHON : process.execPath, (path) => [
    [join(root, "bench/peers", script)],
    { ...settings, SOCKET: path },
  ]);

/** A bridge, and what it counts. */
export interface ServedBridge extends SocketmapService {
  /** Where Postfix finds its policy service: `unix:/path`. */
  readonly policy: string;
  /** Lookups answered so far, by where the answer came from. */
  lookups(): Promise<Lookups>;
  /** Its page of metrics. */
  metrics(): Promise<string>;
}

export interface Lookups {
  readonly cache: number;
  readonly elsewhere: number;
}

export interface BridgeSetting {
  /** The Node that runs it; by default the benchmark's own. */
  readonly node?: string;
  /** Folder of its replica; by default it has none, and asks the edge. */
  readonly replica?: string;
  /** Further listeners, such as `["--line", "127.0.0.1:10025"]`. */
  readonly listeners?: readonly string[];
}

/** Starts `rollcall bridge` with its defaults, as the unit in packaging/systemd does. */
export async function serveBridge(
  { origin, token }: Asking,
  { node = process.execPath, replica, listeners: more = [] }: BridgeSetting = {},
): Promise<ServedBridge> {
  const service = await serve(node, (path) => {
    const listeners = [
      "--socketmap",
      `unix:${path}`,
      "--socketmap",
      "127.0.0.1:0",
      "--policy",
      `unix:${path}.policy`,
      "--metrics",
      `unix:${path}.metrics`,
      ...(replica === undefined ? [] : ["--replica", replica]),
      ...more,
    ];
    // Postfix's processes run as another user.
    const args = [join(root, "bin/rollcall.js"), "bridge", ...listeners, "--socket-mode", "0666"];
    return [args, { ...unitEnvironment(), ROLLCALL_URL: origin, ROLLCALL_TOKEN: token }];
  });
  const metrics = (): Promise<string> => metricsOf(`${service.address.replace(/^unix:/, "")}.metrics`);
  const lookups = async (): Promise<Lookups> => {
    const found = { cache: 0, elsewhere: 0 };
    for (const [, labels = "", count] of (await metrics()).matchAll(
      /^rollcall_bridge_lookups_total\{(.*)\} (\d+)$/gm,
    )) {
      found[labels.includes('source="cache"') ? "cache" : "elsewhere"] += Number(count);
    }
    return found;
  };
  return { ...service, policy: `${service.address}.policy`, lookups, metrics };
}

const UNIT = "packaging/systemd/rollcall-bridge.service";

/** What the unit sets for the process. @throws if it sets nothing: then its form has changed */
function unitEnvironment(): Environment {
  const lines = [...readFileSync(join(root, UNIT), "utf8").matchAll(/^Environment=(\w+)=(\S+)$/gm)];
  if (lines.length === 0) throw new Error(`${UNIT} has no line Environment=NAME=value`);
  return Object.fromEntries(lines.map(([, name, value]) => [name, value]));
}

function metricsOf(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: "/metrics" }, (response) => {
      response
        .setEncoding("utf8")
        .toArray()
        .then((parts) => resolve(parts.join("")), reject);
    }).on("error", reject);
  });
}

async function serve(
  command: string,
  commandOf: (path: string) => readonly [args: readonly string[], env: Environment],
): Promise<SocketmapService> {
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const path = join(folder.path, "socketmap");
  const [args, env] = commandOf(path);
  let tcp: string | null = null;
  const started = await start(command, args, {
    folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder.path, ...env },
    isReady: (said) => {
      tcp = /127\.0\.0\.1:\d+/.exec(said)?.[0].replace(/^/, "inet:") ?? null;
      return /\bready\b/.test(said) && existsSync(path);
    },
  });
  return { ...started, address: `unix:${path}`, tcp };
}

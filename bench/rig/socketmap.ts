/** Services that speak socketmap on a unix socket: the bridge and its peers, a process each. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./workerd.ts";

/** Debian's own: another one on the path does not have its packages. */
const PYTHON = "/usr/bin/python3";
const PATIENCE_MS = 20_000;

/** A service that is ready. */
export interface SocketmapService {
  readonly pid: number;
  /** Where Postfix finds its tables: `unix:/path`. */
  readonly address: string;
  /** Where Postfix finds them over TCP, where it listens there: `inet:127.0.0.1:PORT`. */
  readonly tcp: string | null;
  stop(): Promise<void>;
}

/** Where the edge is, and a token that may check. */
export interface Asking {
  readonly origin: string;
  readonly token: string;
}

/** @param settings environment of the peer; it finds the path to listen on in SOCKET */
export function servePeer(
  script: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<SocketmapService> {
  const command = script.endsWith(".py") ? PYTHON : process.execPath;
  return serve((path) => ({
    command,
    args: [join(root, "bench/peers", script)],
    env: { ...settings, SOCKET: path },
  }));
}

/** A bridge, and what it counts. */
export interface ServedBridge extends SocketmapService {
  /** Lookups answered so far, by where the answer came from. */
  lookups(): Promise<{ readonly cache: number; readonly elsewhere: number }>;
}

/**
 * Starts `rollcall bridge` with its defaults, as the unit in examples/systemd does.
 * @param node the Node that runs it
 */
export async function serveBridge(
  { origin, token }: Asking,
  node: string = process.execPath,
): Promise<ServedBridge> {
  const service = await serve((path) => ({
    command: node,
    args: [
      join(root, "bin/rollcall.js"),
      "bridge",
      "--socketmap",
      `unix:${path}`,
      "--socketmap",
      "127.0.0.1:0",
      "--metrics",
      `unix:${path}.metrics`,
      // Postfix's processes run as another user.
      "--socket-mode",
      "0666",
    ],
    env: { ...unitEnvironment(), ROLLCALL_URL: origin, ROLLCALL_TOKEN: token },
  }));
  const lookups = async (): Promise<{ cache: number; elsewhere: number }> => {
    const found = { cache: 0, elsewhere: 0 };
    const page = await metricsOf(`${service.address.replace(/^unix:/, "")}.metrics`);
    for (const [, labels = "", count] of page.matchAll(/^rollcall_bridge_lookups_total\{(.*)\} (\d+)$/gm)) {
      found[labels.includes('source="cache"') ? "cache" : "elsewhere"] += Number(count);
    }
    return found;
  };
  return { ...service, lookups };
}

const UNIT = "examples/systemd/rollcall-bridge.service";

/** What the unit sets about the process. @throws where it sets nothing: then this reads it wrongly */
function unitEnvironment(): Record<string, string> {
  const lines = [...readFileSync(join(root, UNIT), "utf8").matchAll(/^Environment=(\w+)=(\S+)$/gm)];
  if (lines.length === 0) throw new Error(`${UNIT} has no line Environment=NAME=value`);
  return Object.fromEntries(lines.map(([, name, value]) => [name, value]));
}

function metricsOf(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: "/metrics" }, (response) => {
      let page = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        page += text;
      });
      response.on("end", () => resolve(page)).on("error", reject);
    }).on("error", reject);
  });
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function serve(commandOf: (path: string) => Command): Promise<SocketmapService> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  chmodSync(folder, 0o755);
  const path = join(folder, "socketmap");
  const { command, args, env } = commandOf(path);
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const end = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  // Whatever breaks, nothing stays behind.
  process.once("exit", end);
  const gone = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  await untilReady(
    child,
    () => /\bready\b/.test(said) && existsSync(path),
    () => `${args.join(" ")}: ${said}`,
  );
  return {
    pid: child.pid as number,
    address: `unix:${path}`,
    tcp: /127\.0\.0\.1:\d+/.exec(said)?.[0].replace(/^/, "inet:") ?? null,
    async stop() {
      child.kill("SIGTERM");
      await gone;
      process.off("exit", end);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(child: ChildProcess, isReady: () => boolean, show: () => string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !isReady(); ) {
    if (child.exitCode !== null) throw new Error(`ended before it was ready: ${show()}`);
    if (Date.now() > end) throw new Error(`not ready within ${PATIENCE_MS / 1000} s: ${show()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { usageError } from "../exit.ts";
import type { Platform } from "../platform.ts";

/** The oldest Node that Miniflare supports. */
const OLDEST = { major: 22, minor: 12 };

/** Set in the process that runs the edge. */
const CHILD = "ROLLCALL_DEV_CHILD";

export const isChild = (platform: Platform): boolean => platform.env[CHILD] !== undefined;

/**
 * Runs this command again in a child process, under a Node that is new enough, and waits until it ends. The child ends
 * with this process, however that ends: otherwise the runtime would outlive a Miniflare that was killed.
 *
 * @returns the child's exit code
 * @throws CliError exit 2 if there is no such Node
 */
export async function runInChild(platform: Platform): Promise<number> {
  const child = spawn(newEnoughNode(), process.argv.slice(1), {
    env: { ...platform.env, [CHILD]: "1" },
    // The child notices by this channel that this process has ended.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    // In a process group of its own: Ctrl-C should stop the edge, which then stops the runtime, not both at once.
    detached: true,
  });
  const release = platform.onStop(() => child.kill());
  onParentGone(() => child.kill());
  const ended = new AbortController();
  void onNpmGone(platform, ended.signal, () => child.kill());
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    release();
    ended.abort();
  }
}

const NPM_LOOK_MS = 500;

/** npm and npx pass a signal to the shell that runs the command; the shell ends without passing it on. */
async function onNpmGone(platform: Platform, ended: AbortSignal, stop: () => void): Promise<void> {
  if (platform.env.npm_lifecycle_event === undefined) return;
  const shell = process.ppid;
  while (!ended.aborted && process.ppid === shell) await platform.sleep(NPM_LOOK_MS, ended);
  if (!ended.aborted) stop();
}

/** Calls `stop` when the process at the other end of the channel ends, if there is one. */
export function onParentGone(stop: () => void): void {
  process.once("disconnect", stop);
  // The channel must not keep this process alive.
  process.channel?.unref();
}

/** This Node, or the one from the package `node`. */
function newEnoughNode(): string {
  if (isNewEnough(process.versions.node)) return process.execPath;
  const bundled = bundledNode();
  if (bundled !== null) return bundled;
  throw usageError(
    `\`rollcall dev\` needs Node ${OLDEST.major}.${OLDEST.minor} or newer; this is ${process.version}`,
    "run `npm ci` in a clone of the repository (its package `node` includes one), or install a newer Node",
  );
}

function bundledNode(): string | null {
  try {
    const require = createRequire(import.meta.url);
    const node = join(dirname(require.resolve("node/package.json")), "bin", "node");
    const { status, stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
    return status === 0 && isNewEnough(stdout.trim().slice(1)) ? node : null;
  } catch {
    return null;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
}

import { spawn } from "node:child_process";
import { pid, platform } from "node:process";

/**
 * Kills this process's group if this process is killed. The runtime of the local edge is in the group: Miniflare stops
 * it, unless Miniflare itself is killed; then the runtime would keep the port. Call this only from a process that leads
 * its own group.
 *
 * @returns a function that ends the watch, for a normal shutdown
 */
export function killGroupBehindMe(): () => void {
  // There is no POSIX shell.
  if (platform === "win32") return () => undefined;
  // `read` fails if the other end closes before a line arrives; the kernel closes it for a killed process.
  const script = 'read -r _ || kill -s KILL -- "-$1"';
  const watchdog = spawn("/bin/sh", ["-c", script, "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    // In a group of its own, so that it outlives this one.
    detached: true,
    cwd: "/",
    env: {},
  });
  // If it cannot be started, or ends, the edge still runs.
  watchdog.once("error", () => undefined);
  const { stdin } = watchdog;
  stdin.on("error", () => undefined);
  watchdog.unref();
  // A pipe to a child is a socket in Node, though its type does not say so.
  (stdin as typeof stdin & { unref(): void }).unref();
  return () => void stdin.end("done\n");
}

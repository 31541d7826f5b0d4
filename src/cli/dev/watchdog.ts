import { spawn } from "node:child_process";
import { pid, platform } from "node:process";

/**
 * Has this process's group killed where this process goes without a word. The runtime of the local edge is in the
 * group: Miniflare stops it, but not where Miniflare itself is killed, and then it would hold the port for good. To be
 * called only by a process that leads a group of its own.
 *
 * @returns a function that says the word: from then on the group is left alone
 */
export function killGroupBehindMe(): () => void {
  // Without a POSIX shell there is nothing to do it.
  if (platform === "win32") return () => undefined;
  // `read` fails when the other end is closed before a line came, which the kernel does for a process that was killed.
  const script = 'read -r _ || kill -s KILL -- "-$1"';
  const watchdog = spawn("/bin/sh", ["-c", script, "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    // In a group of its own, to outlive this one.
    detached: true,
    cwd: "/",
    env: {},
  });
  // Where it cannot be started, or is gone, the edge runs all the same.
  watchdog.once("error", () => undefined);
  const { stdin } = watchdog;
  stdin.on("error", () => undefined);
  watchdog.unref();
  // A pipe to a child is a socket of Node's, though its type does not say so.
  (stdin as typeof stdin & { unref(): void }).unref();
  return () => void stdin.end("done\n");
}

import { onTestFinished } from "vitest";
import type { Running } from "../../support/processes.ts";
import { pause } from "../../support/processes.ts";

/** Whether a process exists. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * Sends SIGUSR2 to a bridge, and waits until another process has taken over.
 * @param pid of the bridge, if another one than the first answers by now
 * @returns the id of the new process, which ends with the test
 */
export async function replace(running: Running, pid = running.child.pid as number): Promise<number> {
  const from = running.stderr.length;
  process.kill(pid, "SIGUSR2");
  for (;;) {
    const match = /"event":"replaced","pid":(\d+)/.exec(running.stderr.slice(from));
    if (match !== null) {
      const next = Number(match[1]);
      onTestFinished(async () => {
        if (isRunning(next)) process.kill(next, "SIGTERM");
        while (isRunning(next)) await pause(20);
      });
      return next;
    }
    if (!isRunning(pid)) throw new Error(`the bridge has ended:\n${running.stderr}`);
    await pause(10);
  }
}

import type { ChildProcess } from "node:child_process";
import { createConnection } from "node:net";

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits for a condition.
 * @throws after `timeout` milliseconds, saying what was waited for
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeout = 30_000,
): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > timeout) throw new Error(`waited ${timeout / 1000} s until ${what}`);
    await pause(25);
  }
}

/** Whether something listens on a port of loopback, or of another address of this machine. */
export const listens = (port: number, host = "127.0.0.1"): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

/** Processes that we started and that have not ended. */
const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGTERM");
});

/** A process that we started does not outlive this one, whatever ends it. */
export function endWithUs(child: ChildProcess): void {
  children.add(child);
  child.once("close", () => children.delete(child));
}

import type { ChildProcess } from "node:child_process";
import { createConnection } from "node:net";

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How long to wait for what must happen, ms: longer than any machine needs. */
export const PATIENCE_MS = 120_000;

/**
 * Waits for a condition.
 * @throws after `timeout` milliseconds, saying what was waited for
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeout = PATIENCE_MS,
): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > timeout) throw new Error(`waited ${timeout / 1000} s until ${what}`);
    await pause(25);
  }
}

/** How often something that came too late is done again. */
const TRIES = 5;

/**
 * Does something until it is in time, five times at most: what waits for something is late each time, a busy machine is not.
 * @throws Error if it is late each time
 */
export async function inTime<T extends { readonly ms: number }>(
  limit: number,
  act: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const done = await act();
    if (done.ms < limit) return done;
    if (tries === TRIES) throw new Error(`took ${done.ms} ms, and was late ${TRIES} times: ${limit} at most`);
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

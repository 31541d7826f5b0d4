/**
 * The only file of the command, apart from http.ts, that uses the clock, the network, randomness, timers and the process
 * directly. It hands them to the rest as ports.
 */
import { randomFillSync } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { HttpPool } from "./http.ts";

export interface Platform {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory that relative paths start from. */
  readonly cwd: string;
  readonly homeDirectory: string | null;
  /** Whether questions can be asked: standard input and standard error are terminals. */
  readonly canAsk: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** For cli-progress. For text use {@link Platform.writeError}. */
  readonly stderr: NodeJS.WritableStream;
  /** Unix milliseconds. */
  now(): number;
  /** Monotonic milliseconds; only differences matter. */
  steady(): number;
  /** Resolves after `ms`; early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Cheaper than `fetch`, for long-running processes. @param connections most connections to one host */
  httpPool(connections: number): HttpPool;
  randomBytes(count: number): Uint8Array;
  /** Id of this process. */
  readonly pid: number;
  /** Whether a process of this id runs. */
  isRunning(pid: number): boolean;
  /** Writes to standard output. */
  write(text: string): void;
  /** Writes to standard error. */
  writeError(text: string): void;
  /** Asks on standard error and reads one line. Only if {@link Platform.canAsk}. */
  ask(question: string): Promise<string>;
  /** Calls `stop` on SIGINT or SIGTERM instead of exiting. @returns a function that undoes this */
  onStop(stop: (signal: string) => void): () => void;
  /** Calls `react` on SIGHUP instead of exiting. */
  onHangup(react: () => void): void;
  setExitCode(code: number): void;
}

/** The real platform: Node. */
export function nodePlatform(): Platform {
  // A reader that stops early (`| head`) is not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    homeDirectory: process.env.HOME ?? null,
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    stderr: process.stderr,
    now: () => Date.now(),
    steady: () => performance.now(),
    sleep,
    fetch: (input, init) => globalThis.fetch(input, init),
    httpPool: (connections) => new HttpPool(connections),
    randomBytes: (count) => randomFillSync(new Uint8Array(count)),
    pid: process.pid,
    isRunning,
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    ask,
    onStop,
    onHangup: (react) => void process.on("SIGHUP", react),
    setExitCode: (code) => {
      process.exitCode = code;
    },
  };
}

/** node:timers/promises would make an error for each cancelled timer, and nearly all are cancelled. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener("abort", wake);
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs as another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-D ends the input without an answer.
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

function onStop(stop: (signal: string) => void): () => void {
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
}

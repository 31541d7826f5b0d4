/**
 * The only file of the command, apart from http.ts, that uses the clock, the network, randomness, timers and the process
 * directly. It hands them to the rest as ports.
 */
import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { createInterface } from "node:readline/promises";
import { type ConnectionPool, HttpPool, type PoolOptions, proxyFor } from "./http.ts";

export interface Platform {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Adds variables to {@link Platform.env}, for proxies and commands too. Those that are set stay. */
  addToEnvironment(variables: Readonly<Record<string, string>>): void;
  /** Process id. */
  readonly pid: number;
  /** Directory that relative paths start from. */
  readonly cwd: string;
  readonly homeDirectory: string | null;
  /** Root of the file system, below which the packages put their files. */
  readonly root: string;
  /** Whether questions can be asked: standard input and standard error are terminals. */
  readonly canAsk: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** For cli-progress. For text use {@link Platform.writeError}. */
  readonly stderr: NodeJS.WritableStream;
  /** Unix milliseconds. */
  now(): number;
  /** Of the system's monotonic clock (CLOCK_MONOTONIC), for systemd. */
  monotonicMicroseconds(): bigint;
  /** Monotonic milliseconds; only differences matter. */
  steady(): number;
  /** For how long the host has been up, its sleep included; null if the system does not say. */
  uptime(): { readonly boot: string; readonly ms: number } | null;
  /** Resolves after `ms`; early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Cheaper than `fetch`, for long-running processes. */
  httpPool(options: PoolOptions): ConnectionPool;
  /** The proxy that the environment names for a URL; null for none. @throws if it is not a URL */
  proxyFor(url: string): URL | null;
  randomBytes(count: number): Uint8Array;
  /** Id of the process that started this one. */
  readonly parentPid: number;
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
  /** Calls `react` on SIGUSR2 instead of exiting. */
  onReplace(react: () => void): void;
  setExitCode(code: number): void;
}

/** The real platform: Node. */
export function nodePlatform(): Platform {
  // A reader that stops early (`| head`) is not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const boot = bootId();
  return {
    env: process.env,
    addToEnvironment: (variables) => void Object.assign(process.env, { ...variables, ...process.env }),
    pid: process.pid,
    cwd: process.cwd(),
    homeDirectory: process.env.HOME ?? null,
    root: "/",
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    stderr: process.stderr,
    now: () => Date.now(),
    monotonicMicroseconds: () => process.hrtime.bigint() / 1000n,
    steady: () => performance.now(),
    uptime: () => (boot === null ? null : { boot, ms: 1000 * uptime() }),
    sleep,
    fetch: (input, init) => globalThis.fetch(input, init),
    httpPool: (options) => new HttpPool(options),
    proxyFor,
    randomBytes: (count) => randomFillSync(new Uint8Array(count)),
    parentPid: process.ppid,
    isRunning,
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    ask,
    onStop,
    onHangup: (react) => void process.on("SIGHUP", react),
    onReplace: (react) => void process.on("SIGUSR2", react),
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

/** Of Linux, whose uptime counts sleep; null elsewhere. */
function bootId(): string | null {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return null;
  }
}

/** Runs the built command as people do: a process, its output and its exit code. */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterFile } from "./after-file.ts";
import "./built.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
export const COMMAND = join(ROOT, "bin", "rollcall.js");

/** The oldest Node that the command supports, if there is one on this machine. */
export const NODE_20 = [process.env.ROLLCALL_NODE20, "/usr/bin/node"].find(isNode20);

function isNode20(path: string | undefined): path is string {
  return (
    path !== undefined &&
    existsSync(path) &&
    /^v20\./.test(execFileSync(path, ["--version"], { encoding: "utf8" }))
  );
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A started process and its output so far. */
export class Running {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(file: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    started.add(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code) => {
        started.delete(this.child);
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Waits until standard output matches. @throws if the process ends before */
  async saying(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      const over = await Promise.race([this.ended, pause(20)]);
      if (over !== undefined && pattern.exec(this.stdout) === null) {
        throw new Error(`ended with ${over.code} before saying ${pattern}:\n${over.stdout}${over.stderr}`);
      }
    }
  }

  /** Waits until standard error matches. @throws if the process ends before */
  async logging(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.child.exitCode !== null) throw new Error(`ended before logging ${pattern}:\n${this.stderr}`);
      await pause(20);
    }
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

const started = new Set<ChildProcess>();
const folders: string[] = [];

afterFile(async () => {
  // A test that failed half-way leaves processes behind.
  for (const child of started) child.kill("SIGTERM");
  await Promise.all([...started].map((child) => new Promise((resolve) => child.once("close", resolve))));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A temporary folder for this test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-test-"));
  folders.push(folder);
  return folder;
}

export const pause = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

/** The environment of a command under test: none of our variables, and nothing in the home folder. */
export const environment = (home: string, more: Record<string, string> = {}): Record<string, string> => ({
  PATH: process.env.PATH ?? "",
  HOME: home,
  NO_COLOR: "1",
  // Hundreds of commands start, and most of what some of them do is to load packages.
  ...(process.env.NODE_COMPILE_CACHE === undefined
    ? {}
    : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
  ...more,
});

/** Starts `rollcall …`. */
export const startCli = (
  args: readonly string[],
  options: { home: string; env?: Record<string, string>; cwd?: string; node?: string },
): Running =>
  new Running(options.node ?? process.execPath, [COMMAND, ...args], {
    cwd: options.cwd ?? options.home,
    env: environment(options.home, options.env),
  });

/** A local edge that is ready. */
export interface Dev {
  readonly process: Running;
  readonly url: string;
  readonly smtpPort: number | null;
}

/** Starts `rollcall dev` on free ports and waits until it is ready. */
export async function startDev(
  state: string,
  options: {
    home: string;
    args?: readonly string[];
    env?: Record<string, string>;
    cwd?: string;
    node?: string;
  },
): Promise<Dev> {
  const process = startCli(["dev", "--port", "0", "--state", state, ...(options.args ?? [])], options);
  const url = (await process.saying(/ready at (\S+)[\s\S]*Ctrl-C/))[1] as string;
  const smtp = /SMTP front end at smtp:\/\/127\.0\.0\.1:(\d+)/.exec(process.stdout);
  return { process, url, smtpPort: smtp === null ? null : Number(smtp[1]) };
}

/** Listens on a free port of loopback, so that the port is in use. */
export async function busyPort(): Promise<{ port: number; free(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, free: () => server.close() };
}

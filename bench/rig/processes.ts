/** Processes: servers that run until they are disposed of, commands under measurement, and what Linux says of both. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { endWithUs, until } from "../../test/mta/support/waiting.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A folder that is removed when it is disposed of, and at the latest when this process exits. */
export interface Folder extends Disposable {
  readonly path: string;
}

const folders = new Set<string>();
const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
process.once("exit", () => folders.forEach(remove));

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "rollcall-bench-"));
  folders.add(path);
  return {
    path,
    [Symbol.dispose]() {
      remove(path);
      folders.delete(path);
    },
  };
}

/** A server that is ready. */
export interface Started extends AsyncDisposable {
  readonly pid: number;
}

export interface StartOptions {
  /** Its own: where it starts, and removed when it has ended. */
  readonly folder: Folder;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the server is ready. @param said what it printed so far */
  isReady(said: string): boolean | Promise<boolean>;
}

const START_TIMEOUT_MS = 20_000;

/** Starts a server and waits until it is ready. @throws Error with what it printed */
export async function start(
  command: string,
  args: readonly string[],
  options: StartOptions,
): Promise<Started> {
  const { folder, env } = options;
  const child = spawn(command, args, {
    cwd: folder.path,
    ...(env && { env }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  let [said, isMeasured] = ["", false];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-10_000);
    });
  // What a server complains of while it is measured.
  child.stderr.on("data", (text: string) => isMeasured && process.stderr.write(text));
  const ended = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  const line = `${command} ${args.join(" ")}`;
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${line} ended before it was ready:\n${said}`);
    return options.isReady(said);
  };
  await until(`${line} is ready`, isReady, START_TIMEOUT_MS);
  isMeasured = true;
  return {
    pid: child.pid as number,
    async [Symbol.asyncDispose]() {
      isMeasured = false;
      child.kill("SIGTERM");
      await ended;
      folder[Symbol.dispose]();
    },
  };
}

/** What a command cost. */
export interface Run {
  readonly seconds: number;
  /** The most memory that it and its children had resident. */
  readonly peakBytes: number;
  readonly output: string;
}

const POLL_MS = 20;

/** Runs a command to its end. @throws Error with what it printed if it fails */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Run> {
  const since = performance.now();
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: Number.POSITIVE_INFINITY };
  const running = promisify(execFile)(command, args, options);
  let peakBytes = 0;
  // A process's peak only grows, so the last look before the end shows all but the last moment.
  const timer = setInterval(() => {
    const peaks = familyOf(running.child.pid as number).map((pid) => memoryOf(pid, "VmHWM") ?? 0);
    const peak = peaks.reduce((sum, each) => sum + each, 0);
    peakBytes = Math.max(peakBytes, peak);
  }, POLL_MS);
  try {
    const { stdout } = await running;
    return { seconds: (performance.now() - since) / 1000, peakBytes, output: stdout };
  } finally {
    clearInterval(timer);
  }
}

/**
 * Memory of a process in bytes; null if it is gone.
 * @param what `VmRSS` is resident now, `VmHWM` the peak
 */
export function memoryOf(pid: number, what: "VmRSS" | "VmHWM"): number | null {
  try {
    const found = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return found === undefined ? null : Number(found) * 1024;
  } catch {
    return null;
  }
}

/** The kernel measures the peak of a process from now on. */
export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** A process and its descendants, as far as they live. */
function familyOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const children = threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(familyOf)];
  } catch {
    return [];
  }
}

/** CPU used by all living threads of a process, milliseconds. */
export function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

/** Binds a process to one processor. */
export const pin = (pid: number, processor: number): Buffer =>
  execFileSync("taskset", ["-a", "-c", "-p", String(processor), String(pid)]);

/** Debian packages that are missing here. @param packageOf the package of each command or file */
export const missingPackages = (packageOf: Readonly<Record<string, string>>): string[] =>
  Object.entries(packageOf)
    .filter(([command]) => !isInstalled(command))
    .map(([, name]) => name);

function isInstalled(command: string): boolean {
  // Servers are in sbin, which is not on every user's path.
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  try {
    execFileSync("sh", ["-c", 'command -v "$1" || test -e "$1"', "sh", command], {
      stdio: "ignore",
      env: { ...process.env, PATH },
    });
    return true;
  } catch {
    return false;
  }
}

/** What the system tells of processes (Linux, /proc), and running commands under measurement. */
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** What a command cost. */
export interface Run {
  readonly seconds: number;
  /** Most memory that it and its children had resident. */
  readonly peakBytes: number;
  readonly output: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

const POLL_MS = 20;

/** Runs a command to its end. @throws Error with what it said where it fails */
export async function run(command: string, args: readonly string[], { cwd, env }: RunOptions): Promise<Run> {
  const begun = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  // The peak of each process only grows, so what was read last before the end is it, save for the last moment.
  let peakBytes = 0;
  const look = (): void => {
    const peaks = familyOf(child.pid as number).map((pid) => memoryOf(pid, "VmHWM") ?? 0);
    peakBytes = Math.max(
      peakBytes,
      peaks.reduce((sum, each) => sum + each, 0),
    );
  };
  const timer = setInterval(look, POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => clearInterval(timer));
  const seconds = (performance.now() - begun) / 1000;
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}${errors}`);
  return { seconds, peakBytes, output };
}

/**
 * Memory of a process in bytes; null where it is gone.
 * @param what `VmRSS` is resident now, `VmHWM` the most that was
 */
export function memoryOf(pid: number, what: "VmRSS" | "VmHWM"): number | null {
  try {
    const found = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return found === undefined ? null : Number(found) * 1024;
  } catch {
    return null;
  }
}

/** A process and all that it began, as far as they live. */
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

/** CPU that all threads of a process that still live have used, milliseconds. */
export function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

/** Debian packages that are missing here, told by the commands that they bring. */
export function missingPackages(packageOf: Readonly<Record<string, string>>): string[] {
  return Object.entries(packageOf)
    .filter(([command]) => !isInstalled(command))
    .map(([, name]) => name);
}

function isInstalled(command: string): boolean {
  try {
    // Servers lie in sbin, which is not on everybody's path.
    const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
    execFileSync("sh", ["-c", 'command -v "$1"', "sh", command], {
      stdio: "ignore",
      env: { ...process.env, PATH },
    });
    return true;
  } catch {
    return false;
  }
}

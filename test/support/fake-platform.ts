import { PassThrough } from "node:stream";
import { HttpPool } from "../../src/cli/http.ts";
import type { Platform } from "../../src/cli/platform.ts";
import { run } from "../../src/cli/program.ts";

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What a person was asked. */
  readonly asked: readonly string[];
}

export interface Surroundings {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** What a person at the terminal answers; without it, there is no terminal. */
  readonly answer?: string;
  readonly fetch?: Platform["fetch"];
  readonly now?: () => number;
  readonly isRunning?: Platform["isRunning"];
  /** Below it are the files of the packages; default: a folder that does not exist. */
  readonly root?: string;
}

/** Runs `rollcall …` inside the test's own process, against the real network, with everything else faked. */
export async function rollcall(args: readonly string[], where: Surroundings): Promise<Said> {
  const { cwd, answer, now = Date.now } = where;
  const said = { stdout: "", stderr: "", asked: [] as string[] };
  const env: Record<string, string> = { XDG_STATE_HOME: cwd, ...where.env };
  const platform: Platform = {
    // The list store is in the working directory.
    pid: process.pid,
    env,
    addToEnvironment: (variables) => void Object.assign(env, { ...variables, ...env }),
    cwd,
    homeDirectory: null,
    root: where.root ?? "/nonexistent",
    canAsk: answer !== undefined,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    stderr: new PassThrough(),
    now,
    monotonicMicroseconds: () => 0n,
    steady: () => performance.now(),
    uptime: () => null,
    sleep: (_, signal) =>
      signal === undefined
        ? Promise.resolve()
        : new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
    fetch: where.fetch ?? ((url, init) => fetch(url, init)),
    httpPool: (options) => new HttpPool(options),
    proxyFor: () => null,
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    parentPid: process.ppid,
    isRunning: where.isRunning ?? (() => false),
    write: (text) => {
      said.stdout += text;
    },
    writeError: (text) => {
      said.stderr += text;
    },
    ask: async (question) => {
      said.asked.push(question);
      return answer ?? "";
    },
    onStop: () => () => undefined,
    onHangup: () => undefined,
    onReplace: () => undefined,
    setExitCode: () => undefined,
  };
  const code = await run(platform, args);
  return { code, ...said };
}

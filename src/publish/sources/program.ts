import { spawn } from "node:child_process";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";

/** A program that prints a list. */
export interface Program {
  /** The program and its arguments. No shell is involved. */
  readonly argv: readonly string[];
  /** Seconds within which it must end. */
  readonly timeout: number;
}

/** Seconds between SIGTERM and SIGKILL. */
const KILL_AFTER = 5;
/** Characters of standard error that are kept for a message: its end says what went wrong. */
const MAX_ERRORS = 2000;

/**
 * Runs a program and passes its standard output on. Only after exit code 0 is the output whole: everything that was
 * passed on before an error must be dropped.
 * @throws PublishError `input` if it cannot be started, fails, or does not end in time
 */
export async function* outputOf(
  { argv, timeout }: Program,
  { shown, env, sleep, path }: SourceHost,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const [program = "", ...args] = argv;
  signal.throwIfAborted();
  // A process group of its own, so that what a script started ends with it.
  const child = spawn(program, args, {
    cwd: path("."),
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-MAX_ERRORS);
  });
  const ended = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("close", (code, killed) =>
      resolve(
        code === 0 ? null : killed === null ? `ended with exit code ${code}` : `was ended by ${killed}`,
      ),
    );
  });
  const done = new AbortController();
  let fault: string | null = null;
  const kill = (by: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, by);
    } catch {
      // It has ended already.
    }
  };
  const stop = async (why: string | null): Promise<void> => {
    fault ??= why;
    kill("SIGTERM");
    await sleep(KILL_AFTER * 1000, done.signal);
    if (!done.signal.aborted) kill("SIGKILL");
    // Something that left the group may hold the pipe open.
    child.stdout.destroy();
  };
  const onAbort = (): void => void stop(null);
  signal.addEventListener("abort", onAbort, { once: true });
  const limit = sleep(timeout * 1000, done.signal).then(() =>
    done.signal.aborted ? undefined : stop(`did not end within ${timeout} s (timeout)`),
  );
  try {
    try {
      yield* child.stdout as AsyncIterable<Uint8Array>;
    } catch (error) {
      fault ??= `its output cannot be read: ${(error as Error).message}`;
    }
    const how = await ended;
    signal.throwIfAborted();
    if (fault !== null || how !== null) throw failed(shown, program, (fault ?? how) as string, errors);
  } finally {
    signal.removeEventListener("abort", onAbort);
    done.abort();
    kill("SIGKILL");
    await limit;
  }
}

function failed(shown: string, program: string, how: string, errors: string): PublishError {
  const said = errors
    .trim()
    .split("\n")
    .slice(-5)
    .filter((line) => line !== "");
  return new PublishError(
    "input",
    `${shown}: ${program} ${how}; its output was not used`,
    said.length === 0
      ? "run it by hand"
      : "run it by hand; the lines above are the end of its standard error",
    said,
  );
}

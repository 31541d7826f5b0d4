/** Two processes of the bridge: one that runs, and one that takes over its sockets. They talk over Node's IPC channel. */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import {
  handedOverOf,
  type InheritedListener,
  messageOf,
  type Predecessor,
  type ServedName,
  type Successor,
} from "../bridge/index.ts";
import { usageError } from "./exit.ts";
import type { Platform } from "./platform.ts";

/** Names the listeners that a new process inherits, as JSON; set by the bridge itself. */
const VARIABLE = "ROLLCALL_TAKE_OVER";
/** The first inherited listener; before it are standard input, output and error, and the IPC channel. */
const FIRST_DESCRIPTOR = 4;
/** How long a new process may take until it listens, ms. */
const START_MS = 30_000;

/** Starts this command once more, in its present release, with the listeners of this process. */
export function startSuccessor(
  { env, sleep }: Pick<Platform, "env" | "sleep">,
  listeners: readonly InheritedListener<ServedName>[],
): Successor {
  const inherited = listeners.map(({ name, setting, shown }) => ({ name, setting, shown }));
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ["inherit", "inherit", "inherit", "ipc", ...listeners.map(({ fd }) => fd)],
    env: { ...env, [VARIABLE]: JSON.stringify(inherited) },
  });
  const ended = new Promise<Error>((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) =>
      resolve(new Error(`the new process ended (${signal ?? `exit code ${code}`}); its messages say why`)),
    );
  });
  const listens = new Promise<null>((resolve) => child.once("message", () => resolve(null)));
  const start = async (): Promise<void> => {
    const over = new AbortController();
    const late = sleep(START_MS, over.signal).then(
      () => new Error(`the new process did not listen within ${START_MS / 1000} s`),
    );
    const error = await Promise.race([listens, ended, late]);
    over.abort("settled");
    if (error === null) return;
    child.kill("SIGKILL");
    throw error;
  };
  return {
    pid: child.pid ?? null,
    ready: start(),
    give: (connection) =>
      new Promise((resolve) => {
        child.send(messageOf(connection), connection.socket, (error) => resolve(error));
      }),
    async done() {
      const disconnected = new Promise((resolve) => child.once("disconnect", resolve));
      child.send({ type: "done" }, () => undefined);
      await Promise.race([disconnected, ended]);
      child.unref();
    },
  };
}

/** The bridge that started this process to be replaced by it; null if there is none. @throws CliError */
export function predecessorOf({ env }: Pick<Platform, "env">): Predecessor | null {
  const text = env[VARIABLE];
  // Without the channel it is a variable that somebody's shell has kept.
  if (text === undefined || process.send === undefined) return null;
  const listeners = readInherited(text);
  return {
    listeners,
    ready(take) {
      process.on("message", (message, handle) => {
        if (!(handle instanceof Socket)) return process.disconnect();
        const connection = handedOverOf(message, handle);
        if (connection === null) handle.destroy();
        else take(connection);
      });
      // Without the old process, which was stopped meanwhile, this one is not wanted either.
      if (!process.connected) process.kill(process.pid, "SIGTERM");
      else process.send?.({ type: "ready" });
    },
  };
}

function readInherited(text: string): InheritedListener<ServedName>[] {
  try {
    const listeners = JSON.parse(text) as Omit<InheritedListener<ServedName>, "fd">[];
    return listeners.map((each, i) => ({ ...each, fd: FIRST_DESCRIPTOR + i }));
  } catch {
    throw usageError(`${VARIABLE} is not what a bridge writes`, "unset it: only a running bridge sets it");
  }
}

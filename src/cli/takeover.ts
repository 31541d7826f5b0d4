/** Two processes of the bridge: one that runs, and one that takes over its sockets. They talk over Node's IPC channel. */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import {
  type ConnectionMessage,
  closerOf,
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
/** How long it may take for one connection, ms. One that is stuck is killed, so that the old process can continue. */
const TAKE_MS = 2_000;

/** What the old process tells the new one, apart from connections: nothing more follows. */
interface DoneMessage {
  readonly type: "done";
}

/** What the new process tells the old one: it listens, and then about each message whether it has what came with it. */
interface Receipt {
  readonly type: "ready" | "taken" | "lost";
}

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
    child.on("error", resolve);
    child.once("exit", (code, signal) =>
      resolve(new Error(`the new process ended (${signal ?? `exit code ${code}`}); its messages say why`)),
    );
  });
  /** Does something, and waits for the receipt. @returns the error if there is none; the new process has ended then */
  const receipt = async (ms: number, act: () => void, late: string): Promise<Receipt | Error> => {
    const over = new AbortController();
    const tooLate = sleep(ms, over.signal).then(() => new Error(late));
    const received = new Promise<Receipt>((resolve) =>
      child.once("message", (message) => resolve(message as Receipt)),
    );
    act();
    const result = await Promise.race([received, ended, tooLate]);
    over.abort("settled");
    if (result instanceof Error) {
      child.kill("SIGKILL");
      await ended;
    }
    return result;
  };
  /** One after the other, so that each has its own receipt. */
  let last: Promise<unknown> = Promise.resolve();
  const ask = (message: ConnectionMessage | DoneMessage, socket?: Socket): Promise<Receipt | Error> => {
    // If it cannot be sent, the other process has ended.
    const send = (): void => void child.send(message, socket, () => undefined);
    const asked = last.then(() => receipt(TAKE_MS, send, "the new process does not answer"));
    last = asked;
    return asked;
  };
  const start = async (): Promise<void> => {
    const late = `the new process did not listen within ${START_MS / 1000} s`;
    const result = await receipt(START_MS, () => undefined, late);
    if (result instanceof Error) throw result;
  };
  return {
    pid: child.pid ?? null,
    ended,
    ready: start(),
    async give(connection) {
      const close = closerOf(connection.socket);
      const result = await ask(messageOf(connection), connection.socket);
      if (!(result instanceof Error) && result.type === "taken") return null;
      close();
      return result instanceof Error ? result : new Error("the new process did not get the connection");
    },
    abort: () => void child.kill("SIGTERM"),
    async done() {
      const result = await ask({ type: "done" });
      if (result instanceof Error) return result;
      child.disconnect();
      child.unref();
      return null;
    },
  };
}

/** The bridge that started this process to be replaced by it; null if there is none. @throws CliError */
export function predecessorOf({ env }: Pick<Platform, "env">): Predecessor | null {
  const text = env[VARIABLE];
  // Without the channel it is a variable that somebody's shell has kept.
  if (text === undefined || process.send === undefined) return null;
  const listeners = readInherited(text);
  // An old process that has ended gets no receipt.
  const send = (type: Receipt["type"]): void => void process.send?.({ type }, undefined, {}, () => undefined);
  return {
    listeners,
    async ready(take) {
      const left = new Promise<void>((resolve) => process.once("disconnect", resolve));
      process.on("message", (message, handle) => {
        if ((message as Partial<DoneMessage>).type === "done") return send("taken");
        const socket = handle instanceof Socket ? handle : null;
        const connection = socket === null ? null : handedOverOf(message, socket);
        if (connection === null) {
          socket?.destroy();
          return send("lost");
        }
        take(connection);
        send("taken");
      });
      // Without the old process, which was stopped meanwhile, this one is not wanted either.
      if (!process.connected) process.kill(process.pid, "SIGTERM");
      else send("ready");
      await left;
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

/** Node's timers and sockets for the table process. */
import { createConnection } from "node:net";
import type { ListenAddress } from "../bridge/listeners/address.ts";
import { parseBridgeAddress } from "./bridge-address.ts";
import type { Dial, TablePorts } from "./ports.ts";
import { serveTable } from "./table.ts";

const dialTo =
  (address: ListenAddress): Dial =>
  ({ data, closed }) => {
    const socket = createConnection(
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port },
    );
    let why = "the bridge closed the connection";
    socket.setNoDelay(true).setKeepAlive(true, 10_000);
    socket.on("data", data);
    socket.on("error", (error) => {
      why = error.message;
    });
    socket.once("close", () => closed(why));
    return { write: (text) => void socket.write(text), destroy: () => void socket.destroy() };
  };

/** Answers "no connection" to everything. An exit would end smtpd. */
const dialNowhere =
  (why: string): Dial =>
  ({ closed }) => {
    setImmediate(() => closed(`the address of the bridge ${why}`));
    return { write: () => undefined, destroy: () => undefined };
  };

const log = (text: string): void => void process.stderr.write(`rollcall opensmtpd-table: ${text}\n`);

/** Ports of the process that smtpd starts. @param address as in smtpd.conf */
function tablePorts(address: string): TablePorts {
  const bridge = parseBridgeAddress(address);
  return {
    clock: { now: () => performance.now() },
    timers: {
      sleep: (ms, nap) =>
        new Promise((resolve) => {
          const timer = setTimeout(resolve, ms);
          if (nap !== undefined) nap.cancel = () => clearTimeout(timer);
        }),
    },
    dial: typeof bridge === "string" ? dialNowhere(bridge) : dialTo(bridge),
    input: process.stdin,
    write: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    log,
  };
}

/**
 * Runs until smtpd closes standard input, and then exits. Nothing else ends the process: no signal that can be ignored,
 * and no error, since smtpd exits when one of its tables does.
 */
export async function runOpenSmtpdTable(address: string): Promise<void> {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    process.on(signal, () => undefined);
  }
  process.on("uncaughtException", (error) => log(`unexpected error: ${error.stack ?? error.message}`));
  // smtpd is gone, or nobody reads the log: standard input shows the first, and the second does not matter.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  await serveTable(tablePorts(address));
  process.exit(0);
}

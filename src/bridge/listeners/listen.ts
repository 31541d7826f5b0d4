import { chmodSync, closeSync, existsSync, lstatSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { createConnection, type ListenOptions, type Server } from "node:net";
import { dirname, join } from "node:path";
import { type ListenAddress, showAddress } from "./address.ts";

/** 10,000 clients may connect at once after a restart. */
const BACKLOG = 4096;

/** A listener could not be opened; the message says which and why. */
export class ListenError extends Error {
  constructor(where: string, why: string) {
    super(`cannot listen on ${where}: ${why}`);
    this.name = "ListenError";
  }
}

/** A socket that listens. */
export interface Bound {
  /** With the real port instead of port 0; null for an inherited unix socket, whose path nobody states. */
  readonly address: ListenAddress | null;
  /** Removes the file of a unix socket, unless it belongs to another bridge by now. */
  removeFile(): void;
}

const nothingToRemove = (): void => undefined;

/**
 * Starts a server on an address.
 * @param mode permissions of a unix socket
 * @throws ListenError
 */
export async function listen(server: Server, address: ListenAddress, mode: number): Promise<Bound> {
  if (address.kind === "unix") return listenOnFile(server, address, mode);
  await start(server, { host: address.host, port: address.port }, showAddress(address), (error) =>
    error.code === "EACCES" ? "permission denied" : null,
  );
  return { address: tcpAddressOf(server) ?? address, removeFile: nothingToRemove };
}

/**
 * The socket gets its name when it already listens, by a rename. So no client finds it closed, too open, or missing
 * between two bridges. Node removes the file under the name it knows, the temporary one: a bridge that stops later does
 * not remove the socket of the next one.
 */
async function listenOnFile(
  server: Server,
  address: Extract<ListenAddress, { kind: "unix" }>,
  mode: number,
): Promise<Bound> {
  const { path } = address;
  await refuseUsed(address);
  const temporary = join(dirname(path), `.${process.pid.toString(36)}`);
  rmSync(temporary, { force: true });
  await start(server, { path: temporary }, showAddress(address), (error) => {
    // libuv reports a missing folder as EACCES, too.
    if (!existsSync(dirname(path))) return "the folder does not exist";
    return error.code === "EACCES" ? "permission denied" : null;
  });
  chmodSync(temporary, mode);
  renameSync(temporary, path);
  return { address, removeFile: removerOf(path) };
}

/** Removes a socket file if it is still the present one. */
export function removerOf(path: string): () => void {
  const own = lstatSync(path, { throwIfNoEntry: false });
  return () => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (own !== undefined && found?.ino === own.ino && found.dev === own.dev) unlinkSync(path);
  };
}

/** Starts a server on a socket that another process opened. @throws ListenError; the descriptor is closed then */
export async function adopt(server: Server, fd: number, name: string): Promise<Bound> {
  try {
    await start(server, { fd }, `the inherited socket ${name} (descriptor ${fd})`, (error) =>
      error.code === "EINVAL" ? "it is not a stream socket that listens" : null,
    );
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  return { address: tcpAddressOf(server), removeFile: nothingToRemove };
}

/** Closes a descriptor; nothing happens if it is closed already. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Not open.
  }
}

function start(
  server: Server,
  where: ListenOptions | { readonly fd: number },
  shown: string,
  reasonOf: (error: NodeJS.ErrnoException) => string | null,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = error.code === "EADDRINUSE" ? "another process listens there" : reasonOf(error);
      reject(new ListenError(shown, why ?? error.message));
    };
    server.once("error", failed);
    // In this place, the backlog also counts for a descriptor.
    server.listen(where, BACKLOG, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function tcpAddressOf(server: Server): ListenAddress | null {
  const bound = server.address();
  if (typeof bound !== "object" || bound === null) return null;
  return { kind: "tcp", host: bound.address, port: bound.port };
}

/** Refuses a path that is no socket, or on which another process listens. The socket of a killed bridge is replaced. */
async function refuseUsed(address: Extract<ListenAddress, { kind: "unix" }>): Promise<void> {
  const { path } = address;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const shown = showAddress(address);
  if (!found.isSocket()) throw new ListenError(shown, "the file exists and is not a socket");
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => resolve(true));
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
    probe.once("close", () => probe.destroy());
    probe.once("connect", () => probe.destroy());
  });
  if (isAlive) throw new ListenError(shown, "another process listens there");
}

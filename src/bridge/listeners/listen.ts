import { chmodSync, existsSync, lstatSync, unlinkSync } from "node:fs";
import { createConnection, type Server } from "node:net";
import { dirname } from "node:path";
import { type ListenAddress, showAddress } from "./address.ts";

/** A listener could not be opened; the message says which and why. */
export class ListenError extends Error {
  constructor(address: ListenAddress, why: string) {
    super(`cannot listen on ${showAddress(address)}: ${why}`);
    this.name = "ListenError";
  }
}

/**
 * Starts a server on an address.
 * @param mode permissions of a unix socket
 * @returns the address, with the real port instead of port 0
 * @throws ListenError
 */
export async function listen(server: Server, address: ListenAddress, mode: number): Promise<ListenAddress> {
  if (address.kind === "unix") await removeStale(address);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      reject(new ListenError(address, reasonOf(error, address)));
    server.once("error", failed);
    const options =
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    // 10,000 clients may connect at once after a restart.
    server.listen({ ...options, backlog: 4096 }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  if (address.kind === "unix") {
    chmodSync(address.path, mode);
    return address;
  }
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? { ...address, port: bound.port } : address;
}

/** Removes the socket file of a bridge that was killed, unless another process listens on it. */
async function removeStale(address: Extract<ListenAddress, { kind: "unix" }>): Promise<void> {
  const { path } = address;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(address, "the file exists and is not a socket");
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => resolve(true));
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
    probe.once("close", () => probe.destroy());
    probe.once("connect", () => probe.destroy());
  });
  if (isAlive) throw new ListenError(address, "another process listens there");
  unlinkSync(path);
}

function reasonOf(error: NodeJS.ErrnoException, address: ListenAddress): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "another process listens there";
    case "EACCES":
      // libuv reports a missing folder like this, too.
      return address.kind === "unix" && !existsSync(dirname(address.path))
        ? "the folder does not exist"
        : "permission denied";
    default:
      return error.message;
  }
}

import type { Server, Socket } from "node:net";

/*
 * The two things that a process needs to hand sockets over, and that Node has without documenting them: the descriptor of
 * a server, and a way to stop reading a socket at once. `pause` stops the stream only; what arrives after it would be read
 * by this process and be lost. test/bridge/replace.test.ts runs both on every Node that is supported.
 */

interface Handle {
  readonly fd?: unknown;
  readStop?(): unknown;
}

const handleOf = (owner: Server | Socket): Handle | null =>
  (owner as unknown as { readonly _handle?: Handle | null })._handle ?? null;

/** The descriptor of a server that listens. @throws on a Node that does not show it */
export function descriptorOf(server: Server): number {
  const fd = handleOf(server)?.fd;
  if (typeof fd === "number" && fd >= 0) return fd;
  throw new Error("this Node does not show the descriptor of a server; restart the bridge instead");
}

/**
 * Stops reading a socket for good, and takes what was read and not used yet.
 * @returns null if the socket cannot be handed over
 */
export function stopReading(socket: Socket): Buffer | null {
  const handle = handleOf(socket);
  if (socket.destroyed || typeof handle?.readStop !== "function") return null;
  handle.readStop();
  const left: unknown = socket.read();
  return Buffer.isBuffer(left) ? left : Buffer.alloc(0);
}

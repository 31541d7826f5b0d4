import type { Server, Socket } from "node:net";

/*
 * The three things that a process needs to hand sockets over, and that Node has without documenting them: the descriptor of
 * a server, a way to stop reading a socket at once, and one to close it after it was sent. `pause` stops the stream only;
 * what arrives after it would be read by this process and be lost. test/bridge/replace.test.ts runs them on every Node that
 * is supported.
 */

interface Handle {
  readonly fd?: unknown;
  readStop?(): unknown;
  close?(): unknown;
}

/** The part of a socket that is used. */
type ReadSocket = Pick<Socket, "destroyed" | "on" | "read" | "removeAllListeners">;

const handleOf = (owner: Server | ReadSocket): Handle | null =>
  (owner as unknown as { readonly _handle?: Handle | null })._handle ?? null;

/** The descriptor of a server that listens. @throws on a Node that does not show it */
export function descriptorOf(server: Server): number {
  const fd = handleOf(server)?.fd;
  if (typeof fd === "number" && fd >= 0) return fd;
  throw new Error("this Node does not show the descriptor of a server; restart the bridge instead");
}

/**
 * Leaves a socket to another process: stops reading for good, tells nobody anything about it any more, and takes what was
 * read and not used yet. The socket must be paused.
 * @returns null if the socket cannot be handed over; then nothing has changed
 */
export function stopReading(socket: ReadSocket): Buffer | null {
  const handle = handleOf(socket);
  if (socket.destroyed || typeof handle?.readStop !== "function") return null;
  // `read` tells listeners of `data`, too: they would use what the other process is about to get.
  socket.removeAllListeners();
  socket.on("error", () => undefined);
  // The stream reads again whenever it has room, as it has after `read`.
  (socket as unknown as { _read: () => void })._read = () => undefined;
  handle.readStop();
  const left: unknown = socket.read();
  return Buffer.isBuffer(left) ? left : Buffer.alloc(0);
}

/**
 * Closes a socket that was sent to a process that has ended before it had it. Node leaves it open, and the client would
 * wait for ever.
 * @returns to be called before the socket is sent; closes it
 */
export function closerOf(socket: Socket): () => void {
  const handle = handleOf(socket);
  return () => {
    // A socket that was sent has no handle any more, and Node has counted it as closed.
    if (handleOf(socket) === null) handle?.close?.();
    else socket.destroy();
  };
}

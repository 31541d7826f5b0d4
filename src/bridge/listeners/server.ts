import { createServer, type Server, type Socket } from "node:net";
import type { BridgePorts } from "../ports.ts";
import type { Protocol } from "../protocols/protocol.ts";
import { repeat } from "../repeat.ts";
import type { ListenAddress } from "./address.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { listen } from "./listen.ts";

/** How long a client may leave a question or a reply unfinished, ms. Idle clients are never closed. */
const CLIENT_TIMEOUT_MS = 300_000;
const SWEEP_MS = 15_000;
/** Time to read what clients sent before the stop, ms. */
const LAST_READ_MS = 100;
/** How long a client that has all its replies may take to close its side, ms. */
const CLOSE_MS = 400;
/** How long a stop waits for clients, ms. */
const STOP_MS = 4_000;

export interface ServerOptions extends BridgePorts {
  readonly context: ConnectionContext;
  /** Connections at the same time, over all listeners; further ones are closed at once. */
  readonly maxConnections: number;
  /** Permissions of unix sockets. */
  readonly socketMode: number;
  /** A connection above the limit was closed. */
  rejected(protocol: Protocol): void;
}

/** Listens for MTAs on any number of addresses, and stops without losing a reply. */
export class BridgeServer {
  readonly #options: ServerOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Connection, Protocol>();
  readonly #stopSweep: () => void;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#stopSweep = repeat(options.timers, SWEEP_MS, () => this.#sweep());
  }

  /** @returns the address, with the real port instead of port 0. @throws ListenError */
  async listen(protocol: Protocol, address: ListenAddress): Promise<ListenAddress> {
    // A client may end its side and still wait for the reply.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(protocol, socket),
    );
    const bound = await listen(server, address, this.#options.socketMode);
    // Later faults, such as too many open files, are temporary; the listener continues.
    server.on("error", (error) => this.#options.context.fault(error));
    this.#servers.push(server);
    return bound;
  }

  /** Open connections of a protocol. */
  connections(name: string): number {
    let count = 0;
    for (const protocol of this.#connections.values()) if (protocol.name === name) count++;
    return count;
  }

  /** Accepts no new clients, answers what was asked, and closes, within five seconds. */
  async stop(): Promise<void> {
    const { timers } = this.#options;
    this.#stopSweep();
    const closed = Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    await timers.sleep(LAST_READ_MS);
    for (const connection of this.#connections.keys()) connection.finish();
    const over = new AbortController();
    const destroyed = this.#destroyRest(over.signal);
    await closed;
    over.abort();
    await destroyed;
  }

  async #destroyRest(over: AbortSignal): Promise<void> {
    const { timers } = this.#options;
    await timers.sleep(CLOSE_MS, over);
    for (const connection of this.#connections.keys()) if (connection.isDone) connection.destroy();
    if (!over.aborted) await timers.sleep(STOP_MS - CLOSE_MS, over);
    for (const connection of this.#connections.keys()) connection.destroy();
  }

  #accept(protocol: Protocol, socket: Socket): void {
    if (this.#connections.size >= this.#options.maxConnections) {
      socket.destroy();
      this.#options.rejected(protocol);
      return;
    }
    const connection = new Connection(this.#options.context, protocol, socket);
    this.#connections.set(connection, protocol);
    socket.once("close", () => this.#connections.delete(connection));
  }

  #sweep(): number {
    const now = this.#options.clock.now();
    for (const connection of this.#connections.keys()) connection.closeIfStuck(now, CLIENT_TIMEOUT_MS);
    return SWEEP_MS;
  }
}

import { createServer, type Server, type Socket } from "node:net";
import type { ListenAddress } from "./address.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { listen } from "./listening.ts";
import type { BridgePorts } from "./ports.ts";
import type { Protocol, ProtocolName } from "./protocols/protocol.ts";

/** How long a client may leave a question or a reply half-way, ms. Idle ones are never closed. */
const PATIENCE_MS = 300_000;
const SWEEP_MS = 15_000;
/** Time for what clients have sent before the stop to be read, ms. */
const LAST_READ_MS = 100;
/** How long a client that has all its answers may take to close its side, ms. */
const FAREWELL_MS = 400;
/** After this a stop waits for no client, ms. */
const STOP_MS = 4_000;

export interface ServerOptions extends BridgePorts {
  readonly context: ConnectionContext;
  /** Connections at the same time, over all listeners; one more is closed at once. */
  readonly maxConnections: number;
  /** Permissions of unix sockets. */
  readonly socketMode: number;
  /** A client too many was closed. */
  turnedAway(protocol: Protocol): void;
}

/** A listener that runs. */
export interface Listening {
  readonly protocol: ProtocolName;
  readonly address: ListenAddress;
}

/** Listens for MTAs on any number of addresses, and stops without losing an answer. */
export class BridgeServer {
  readonly #options: ServerOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Connection, ProtocolName>();
  readonly #stopped = new AbortController();

  constructor(options: ServerOptions) {
    this.#options = options;
    void this.#sweep();
  }

  /** @throws ListenError */
  async listen(protocol: Protocol, address: ListenAddress): Promise<Listening> {
    // A client may end its side and still wait for the answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(protocol, socket),
    );
    const bound = await listen(server, address, this.#options.socketMode);
    // Later faults, such as too many open files, pass; the listener goes on.
    server.on("error", (error) => this.#options.context.fault(error));
    this.#servers.push(server);
    return { protocol: protocol.name, address: bound };
  }

  /** Open connections of a protocol. */
  connections(protocol: ProtocolName): number {
    let count = 0;
    for (const name of this.#connections.values()) if (name === protocol) count++;
    return count;
  }

  /** Takes no new clients, answers what was asked, and closes, within five seconds. */
  async stop(): Promise<void> {
    const { timers } = this.#options;
    this.#stopped.abort();
    const closed = Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    await timers.sleep(LAST_READ_MS);
    for (const connection of this.#connections.keys()) connection.finish();
    const over = new AbortController();
    const impatient = this.#destroyRest(over.signal);
    await closed;
    over.abort();
    await impatient;
  }

  async #destroyRest(over: AbortSignal): Promise<void> {
    const { timers } = this.#options;
    await timers.sleep(FAREWELL_MS, over);
    for (const connection of this.#connections.keys()) if (connection.isDone) connection.destroy();
    if (!over.aborted) await timers.sleep(STOP_MS - FAREWELL_MS, over);
    for (const connection of this.#connections.keys()) connection.destroy();
  }

  #accept(protocol: Protocol, socket: Socket): void {
    if (this.#connections.size >= this.#options.maxConnections) {
      socket.destroy();
      this.#options.turnedAway(protocol);
      return;
    }
    const connection = new Connection(this.#options.context, protocol, socket);
    this.#connections.set(connection, protocol.name);
    socket.once("close", () => this.#connections.delete(connection));
  }

  async #sweep(): Promise<void> {
    const { timers, clock } = this.#options;
    const { signal } = this.#stopped;
    for (;;) {
      await timers.sleep(SWEEP_MS, signal);
      if (signal.aborted) return;
      const now = clock.now();
      for (const connection of this.#connections.keys()) connection.closeIfStuck(now, PATIENCE_MS);
    }
  }
}

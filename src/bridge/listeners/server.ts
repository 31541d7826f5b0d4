import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { HOOKS } from "../protocols/hooks.ts";
import { PROTOCOLS, type ProtocolName } from "../protocols/index.ts";
import type { LookupName } from "../protocols/lookups.ts";
import type { ListenAddress } from "./address.ts";
import { Connections, type ConnectionsOptions } from "./connections.ts";
import type { Give, HandedOver } from "./giving.ts";
import { HookServers } from "./hooks-server.ts";
import { type InheritedListener, type Listener, type ListenerSetting, Listeners } from "./listeners.ts";

/** What can be listened for: the protocols of mail servers, and the metrics. */
export type ServedName = LookupName | "metrics";

export interface ServerOptions extends ConnectionsOptions {
  /** The wall clock, Unix milliseconds. */
  wall(): number;
  /** Makes the HTTP server of the metrics. */
  metrics(): HttpServer;
}

/** Listens for mail servers on any number of addresses, and stops or is replaced without losing a reply. */
export class BridgeServer {
  readonly #connections: Connections;
  readonly #hooks: HookServers;
  readonly #listeners: Listeners<ServedName>;

  constructor(unguarded: ServerOptions) {
    const options = guarded(unguarded);
    const { metrics, context, maxConnections } = options;
    this.#hooks = new HookServers({
      ...options,
      isFull: () => this.#connections.size + this.#hooks.size >= maxConnections(),
    });
    this.#connections = new Connections({
      ...options,
      maxConnections: () => maxConnections() - this.#hooks.size,
    });
    this.#listeners = new Listeners({
      create: (name) => {
        if (name === "metrics") return metrics();
        return name === HOOKS.name ? this.#hooks.create() : this.#serverOf(name);
      },
      closing: (name, server) => {
        if (name === HOOKS.name) void this.#hooks.finish(server as HttpServer);
        // A scraper may keep its connection.
        else if (name === "metrics") (server as HttpServer).closeAllConnections();
      },
      fault: context.fault,
      removed: (server) => void this.#connections.finish(server),
    });
  }

  get listeners(): readonly Listener[] {
    return this.#listeners.list;
  }

  /** Open connections of a protocol. */
  connections(name: string): number {
    return name === HOOKS.name ? this.#hooks.size : this.#connections.count(name);
  }

  /** @returns the address, with the real port instead of port 0. @throws ListenError */
  listen(name: ServedName, address: ListenAddress, socketMode: number): Promise<ListenAddress> {
    return this.#listeners.open({ name, address }, socketMode);
  }

  /** Listens on sockets that another process opened. @throws ListenError */
  adopt(inherited: readonly InheritedListener<ServedName>[]): Promise<void> {
    return this.#listeners.adopt(inherited);
  }

  /** Listens where the settings say: all of it, or as before. @throws ListenError */
  update(settings: readonly ListenerSetting<ServedName>[], socketMode: number): Promise<void> {
    return this.#listeners.update(settings, socketMode);
  }

  /** For the process that replaces this one. */
  descriptors(): InheritedListener<ServedName>[] {
    return this.#listeners.descriptors();
  }

  /** Continues a connection of the process that this one replaces. */
  continue(connection: HandedOver): void {
    this.#connections.continue(connection);
  }

  /**
   * Leaves listeners and connections to another process, within 75 seconds. The listeners are closed last: if the other
   * process ends before that, this one continues.
   * @param give sends one connection
   * @param ended resolves if the other process ends
   * @returns how many connections did not get there in time, and were closed; null if the other process has ended, and it is
   * as if nothing had happened
   */
  async handOver(give: Give, ended: Promise<unknown>): Promise<number | null> {
    if (!(await this.#connections.handOver(give, ended))) return null;
    return this.#leave();
  }

  /** Accepts no new clients, answers what was asked, and closes, within five seconds. */
  async stop(): Promise<void> {
    this.#listeners.close();
    await Promise.all([this.#connections.stop(), this.#hooks.ended()]);
  }

  /** Closes everything and leaves the files of unix sockets to the process that this one could not replace. */
  async giveUp(): Promise<void> {
    await this.#leave();
  }

  /** Another process listens on. @returns how many connections were closed */
  async #leave(): Promise<number> {
    this.#listeners.close(true);
    const [closed] = await Promise.all([this.#connections.leave(), this.#hooks.ended()]);
    return closed;
  }

  #serverOf(name: ProtocolName): Server {
    // A client may end its side and still wait for the reply.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#connections.accept(PROTOCOLS[name], socket, server),
    );
    return server;
  }
}

/** The same options, with which a fault of counting or logging costs neither an answer nor the process. It is reported. */
function guarded(options: ServerOptions): ServerOptions {
  const { context, rejected, foreign } = options;
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      context.fault(error);
    }
  };
  return {
    ...options,
    rejected: (protocol) => attempt(() => rejected(protocol)),
    foreign: (protocol) => attempt(() => foreign(protocol)),
    context: {
      ...context,
      answered: (protocol, result, ms) => attempt(() => context.answered(protocol, result, ms)),
      malformed: (protocol, why) => attempt(() => context.malformed(protocol, why)),
    },
  };
}

import type { Server, Socket } from "node:net";
import { firstOf } from "../../runtime/first-of.ts";
import type { BridgePorts } from "../ports.ts";
import type { NamedLookup, ParserState, Protocol } from "../protocols/protocol.ts";
import { repeat } from "../repeat.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { type Give, Giving, type HandedOver } from "./giving.ts";

/** How long a client may leave a question or a reply unfinished, ms. Idle clients are never closed. */
const CLIENT_TIMEOUT_MS = 300_000;
const SWEEP_MS = 15_000;
/** Time to read what clients sent before the stop, ms. */
export const LAST_READ_MS = 100;
/** How long a client that has all its replies may take to close its side, ms. */
const CLOSE_MS = 400;
/** How long a stop waits for clients, ms. */
export const STOP_MS = 4_000;
/** In so much time a hand-over gives one more connection away, or it is over, ms. */
const PROGRESS_MS = 4_000;
/** How long a hand-over may take while both processes listen, ms. */
const HAND_OVER_MS = 60_000;

export interface ConnectionsOptions extends BridgePorts {
  readonly context: ConnectionContext;
  /** Connections at the same time, over all listeners; further ones are closed at once. */
  maxConnections(): number;
  /** Whether a client of TCP may connect. @param address undefined if the client has already gone */
  isAllowed(address: string | undefined): boolean;
  /** A connection above the limit was closed. */
  rejected(protocol: NamedLookup): void;
  /** A connection from a network that may not connect was closed. */
  foreign(protocol: NamedLookup): void;
}

interface Accepted {
  readonly protocol: Protocol;
  readonly socket: Socket;
  /** The listener that it came through; null if another process accepted it. */
  readonly server: Server | null;
}

/** All connections of mail servers. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<Connection, Accepted>();
  readonly #stopSweep: () => void;
  /** Where new connections go while another process takes over. */
  #giving: Giving | null = null;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#stopSweep = repeat(options.timers, SWEEP_MS, () => this.#sweep());
  }

  /** Open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** Open connections of a protocol. */
  count(name: string): number {
    let count = 0;
    for (const { protocol } of this.#open.values()) if (protocol.name === name) count++;
    return count;
  }

  /** A client connected. */
  accept(protocol: Protocol, socket: Socket, server: Server): void {
    const { isAllowed, maxConnections, rejected, foreign } = this.#options;
    if (isOverTcp(socket) && !isAllowed(socket.remoteAddress)) {
      socket.destroy();
      foreign(protocol);
    } else if (this.#open.size >= maxConnections()) {
      socket.destroy();
      rejected(protocol);
    } else {
      this.#add({ protocol, socket, server }, null);
    }
  }

  /** Continues a connection of the process that this one replaces. */
  continue({ protocol, socket, state }: HandedOver): void {
    this.#add({ protocol, socket, server: null }, state);
  }

  /** Answers what was asked through a listener that was closed, and closes. */
  async finish(server: Server): Promise<void> {
    const { timers } = this.#options;
    await timers.sleep(LAST_READ_MS);
    for (const [connection, accepted] of this.#open) if (accepted.server === server) connection.finish();
  }

  /**
   * Hands every connection over once the questions under way are answered, and those that clients open meanwhile. Those
   * that end meanwhile stay here, and {@link leave} gives away the rest.
   * @param give sends one to the other process; resolves when that has it
   * @param ended resolves if the other process ends
   * @returns false if the other process has ended: all that were not sent continue here
   */
  async handOver(give: Give, ended: Promise<unknown>): Promise<boolean> {
    const giving = new Giving(give);
    this.#giving = giving;
    for (const [connection, accepted] of this.#open) this.#give(connection, accepted, giving);
    let hasEnded = false;
    const gone = ended.then(() => {
      hasEnded = true;
      this.#keepAll();
    });
    await Promise.race([gone, this.#allGiven(giving)]);
    return !hasEnded;
  }

  /**
   * Resolves when all are given away, or it is time to close the listeners: none of the connections that were open at the
   * start was given away for too long, or all were, and clients open more and more.
   */
  async #allGiven(giving: Giving): Promise<void> {
    const { clock, timers } = this.#options;
    const latest = clock.now() + HAND_OVER_MS;
    let rest = [...this.#open.keys()];
    for (let before = Number.POSITIVE_INFINITY; rest.length < before && clock.now() < latest; ) {
      before = rest.length;
      const given = await firstOf(timers, PROGRESS_MS, () => giving.all().then(() => true));
      if (given === true) return;
      rest = rest.filter((connection) => this.#open.has(connection));
      if (rest.length === 0) return;
    }
  }

  /** Gives nothing more away, and takes questions again. */
  #keepAll(): void {
    this.#giving?.end();
    this.#giving = null;
    for (const connection of this.#open.keys()) connection.keep();
  }

  #give(connection: Connection, { protocol, socket }: Accepted, giving: Giving): void {
    giving.add(connection, (state) => {
      this.#open.delete(connection);
      return { protocol, socket, state };
    });
  }

  /** Answers what was asked, and closes. No listener is open any more. */
  async stop(): Promise<void> {
    // Another process that takes over is stopped too.
    this.#keepAll();
    await this.#finishAll();
  }

  /**
   * Gives away those that are left after {@link handOver}, such as those that came last, and ends as {@link stop} does. No
   * listener is open any more.
   * @returns how many connections were closed although their clients had not ended them
   */
  async leave(): Promise<number> {
    const giving = this.#giving;
    if (giving !== null) await firstOf(this.#options.timers, STOP_MS, () => giving.all());
    return this.#finishAll();
  }

  /** @returns how many clients had not ended their connections */
  async #finishAll(): Promise<number> {
    this.#stopSweep();
    await this.#options.timers.sleep(LAST_READ_MS);
    let closed = 0;
    for (const connection of this.#open.keys()) if (connection.finish()) closed++;
    const over = new AbortController();
    const destroyed = this.#destroyRest(over.signal);
    await this.#ended();
    over.abort();
    await destroyed;
    return closed;
  }

  async #destroyRest(over: AbortSignal): Promise<void> {
    const { timers } = this.#options;
    await timers.sleep(CLOSE_MS, over);
    for (const connection of this.#open.keys()) if (connection.isDone) connection.destroy();
    if (!over.aborted) await timers.sleep(STOP_MS - CLOSE_MS, over);
    for (const connection of this.#open.keys()) connection.destroy();
  }

  async #ended(): Promise<void> {
    await Promise.all(
      [...this.#open.values()].map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))),
    );
  }

  #add(accepted: Accepted, state: ParserState | null): void {
    const { protocol, socket } = accepted;
    const connection = new Connection(this.#options.context, protocol, socket, state);
    this.#open.set(connection, accepted);
    socket.once("close", () => this.#open.delete(connection));
    if (this.#giving !== null) this.#give(connection, accepted, this.#giving);
  }

  #sweep(): number {
    const now = this.#options.clock.now();
    for (const connection of this.#open.keys()) connection.closeIfStuck(now, CLIENT_TIMEOUT_MS);
    return SWEEP_MS;
  }
}

/** Unix sockets have permissions, and no addresses. A TCP client that has already gone has none either. */
export const isOverTcp = ({ localAddress }: Socket): boolean => localAddress !== undefined;

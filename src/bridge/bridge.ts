import { messageOf } from "../runtime/message-of.ts";
import { createAnswering } from "./answering.ts";
import { AnswerCache } from "./answers/cache.ts";
import { MinGenerations } from "./answers/min-generations.ts";
import type { BridgeConfiguration } from "./configuration.ts";
import { ListStates } from "./edge-source/list-states.ts";
import { TokenState, watchToken } from "./edge-source/token.ts";
import { HandOver, type Replacement } from "./hand-over.ts";
import type { HandedOver } from "./listeners/giving.ts";
import type { InheritedListener, Listener, ListenerSetting } from "./listeners/listeners.ts";
import { AllowedPeers } from "./listeners/peers.ts";
import { BridgeServer, type ServedName } from "./listeners/server.ts";
import { BridgeLog } from "./observability/log.ts";
import { BridgeMetrics } from "./observability/metrics.ts";
import { metricsServer } from "./observability/metrics-server.ts";
import { Telemetry } from "./observability/telemetry.ts";
import type { BridgePorts } from "./ports.ts";
import { repeat } from "./repeat.ts";
import type { OpenReplica, ReplicaHost } from "./replica/open-replica.ts";
import type { ReplicaEdge } from "./replica/ports.ts";
import { type BridgeSettings, LISTENER_NAMES } from "./settings.ts";
import { REPLICA_SETTINGS, startReplica } from "./start-replica.ts";
import type { Successor } from "./takeover.ts";

/** Pause between two looks at the token file, ms. */
const TOKEN_PAUSE_MS = 10_000;

export interface BridgeOptions extends BridgePorts {
  readonly configuration: BridgeConfiguration;
  /** Sockets that systemd opened, or those of the bridge that this one replaces. */
  readonly inherited?: readonly InheritedListener<ServedName>[];
  /** Whether another bridge continues if this one cannot start. */
  readonly isSuccessor?: boolean;
  /** For a replica. */
  readonly replica?: ReplicaHost;
  /** For jitter, between 0 and 1. */
  chance(): number;
  /** Writes one line of the log. */
  writeLog(line: string): void;
  /** Unix milliseconds, for the log. */
  wall(): number;
}

export interface RunningBridge {
  readonly listeners: readonly Listener[];
  /** How the bridge is, in one line for people: why the edge cannot be asked, or where it listens. */
  readonly status: string;
  /**
   * Uses another configuration from now on. If a listener cannot be opened, the old one stays in use.
   * @returns null, or why the old configuration stays; the log has it, too
   */
  reload(configuration: BridgeConfiguration): Promise<string | null>;
  /** The configuration cannot be read. @param details the faults, each with file, line and key */
  refuseReload(why: string, details: readonly string[]): void;
  /** Continues a connection of the bridge that this one replaces. */
  continue(connection: HandedOver): void;
  /** Hands over to another process once that listens. One call at a time. */
  replace(start: (listeners: readonly InheritedListener<ServedName>[]) => Successor): Promise<Replacement>;
  /** The service manager could not be told something; for the log. */
  notifyFailed(why: string): void;
  /** Answers what was asked, and ends within five seconds. */
  stop(signal: string): Promise<void>;
}

/**
 * Starts a bridge: all listeners, or none.
 * @throws ListenError, FolderError
 */
export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const bridge = new Bridge(options);
  await bridge.start();
  return bridge;
}

class Bridge implements RunningBridge {
  readonly #options: BridgeOptions;
  readonly #log: BridgeLog;
  readonly #metrics = new BridgeMetrics();
  readonly #token: TokenState;
  readonly #telemetry: Telemetry;
  readonly #minGenerations = new MinGenerations();
  readonly #server: BridgeServer;
  readonly #handOver: HandOver;
  readonly #lists: ListStates;
  readonly #stops = new Set<() => void>();
  #configuration: BridgeConfiguration;
  #cache: AnswerCache;
  #answering: ReturnType<typeof createAnswering>;
  #peers: AllowedPeers;
  #replica: OpenReplica | null = null;

  constructor(options: BridgeOptions) {
    const { configuration, clock, timers, wall, writeLog, chance } = options;
    const { settings } = configuration;
    this.#options = options;
    this.#configuration = configuration;
    this.#log = new BridgeLog({ level: settings.log_level, write: writeLog, wall });
    this.#token = new TokenState(configuration.token.current, wall);
    this.#telemetry = new Telemetry(this.#log, this.#metrics, this.#token, clock);
    this.#telemetry.logObserved = settings.log_observed;
    this.#cache = new AnswerCache(settings.cache_bytes, this.#minGenerations);
    this.#answering = this.#createAnswering(configuration);
    this.#peers = new AllowedPeers(settings.allow_remote);
    this.#lists = new ListStates({
      page: (after) => this.#configuration.edge.page(after),
      chance,
      refreshed: (result) => this.#telemetry.refreshed(result),
    });
    const telemetry = this.#telemetry;
    const isAllowed = (address: string | undefined): boolean => this.#peers.allows(address);
    this.#server = new BridgeServer({
      clock,
      timers,
      wall,
      maxConnections: () => this.#configuration.settings.max_connections,
      isAllowed,
      rejected: (protocol) => telemetry.rejected(protocol),
      foreign: (protocol) => telemetry.foreign(protocol),
      context: {
        clock,
        resolve: (recipient, now, client) => this.#answering.resolver.resolve(recipient, now, client),
        answered: (protocol, result, ms) => telemetry.answered(protocol, result, ms),
        malformed: (protocol, why) => telemetry.malformed(protocol, why),
        fault: (error) => telemetry.fault(error),
        turn: () => timers.sleep(0),
      },
      metrics: () => metricsServer({ metrics: this.#metrics, unready: () => this.#token.fault, isAllowed }),
    });
    this.#handOver = new HandOver({
      server: this.#server,
      log: this.#log,
      lost: (error) => telemetry.fault(error),
      endWork: async () => {
        this.#stopWork();
        await this.#replica?.stop();
        this.#configuration.edge.close();
      },
    });
    this.#watchGauges();
  }

  get listeners(): readonly Listener[] {
    return this.#server.listeners;
  }

  get status(): string {
    return this.#token.fault ?? `listening on ${this.#shownListeners().join(", ")}`;
  }

  /** @throws ListenError, FolderError */
  async start(): Promise<void> {
    const { isSuccessor = false, inherited = [], timers, wall } = this.#options;
    const { settings, edge } = this.#configuration;
    try {
      await this.#startReplica();
      await this.#server.adopt(inherited);
      await this.#server.update(listenersOf(settings), settings.socket_mode);
    } catch (error) {
      this.#answering.resolver.stop();
      await this.#replica?.stop();
      await (isSuccessor ? this.#server.giveUp() : this.#server.stop());
      edge.close();
      throw error;
    }
    this.#log.started(this.#shownListeners(), edge.origin);
    const warn = (why: string, isExpired: boolean): void => this.#log.token(why, isExpired);
    this.#stops.add(repeat(timers, 0, watchToken(this.#token, warn, wall)));
    this.#stops.add(repeat(timers, TOKEN_PAUSE_MS, () => this.#refreshToken()));
    this.#stops.add(repeat(timers, this.#lists.firstPause, () => this.#refreshLists()));
  }

  async reload(configuration: BridgeConfiguration): Promise<string | null> {
    const { settings, edge, token } = configuration;
    try {
      await this.#server.update(listenersOf(settings), settings.socket_mode);
    } catch (error) {
      edge.close();
      const why = messageOf(error);
      this.refuseReload(why, []);
      return why;
    }
    const old = { ...this.#configuration, answering: this.#answering };
    if (REPLICA_SETTINGS.some((name) => String(settings[name]) !== String(old.settings[name]))) {
      this.#log.replicaUnchanged();
    }
    this.#configuration = configuration;
    this.#log.level = settings.log_level;
    this.#telemetry.logObserved = settings.log_observed;
    this.#peers = new AllowedPeers(settings.allow_remote);
    this.#cache = this.#cache.resized(settings.cache_bytes);
    this.#answering = this.#createAnswering(configuration);
    if (this.#token.replace(token.current)) this.#log.tokenReplaced();
    this.#replica?.replica.edgeChanged();
    this.#log.reloaded(this.#shownListeners(), edge.origin);
    old.answering.resolver.stop();
    // Questions under way are still answered over the old connections.
    this.#after(2_000 * old.settings.timeout, () => old.edge.close());
    return null;
  }

  refuseReload(why: string, details: readonly string[]): void {
    this.#log.reloadFailed(why, details);
  }

  replace(start: (listeners: readonly InheritedListener<ServedName>[]) => Successor): Promise<Replacement> {
    return this.#handOver.to(start);
  }

  continue(connection: HandedOver): void {
    this.#server.continue(connection);
  }

  notifyFailed(why: string): void {
    this.#log.notifyFailed(why);
  }

  async stop(signal: string): Promise<void> {
    this.#log.stopping(signal);
    this.#handOver.stop();
    this.#stopWork();
    await this.#server.stop();
    await this.#replica?.stop();
    this.#configuration.edge.close();
    this.#log.stopped();
  }

  #stopWork(): void {
    for (const stop of this.#stops) stop();
    this.#stops.clear();
    this.#answering.resolver.stop();
  }

  #createAnswering({ settings, edge }: BridgeConfiguration): ReturnType<typeof createAnswering> {
    const memory = { cache: this.#cache, minGenerations: this.#minGenerations };
    const replica = this.#replica?.replica ?? null;
    return createAnswering(this.#options, settings, edge.ask, memory, this.#telemetry, replica);
  }

  async #startReplica(): Promise<void> {
    const { replica: host, timers } = this.#options;
    if (host === undefined || this.#configuration.edge.replica === undefined) return;
    this.#replica = await startReplica(this.#configuration.settings, {
      host,
      edge: () => this.#configuration.edge.replica as ReplicaEdge,
      timers,
      log: this.#log,
      metrics: this.#metrics,
      failed: (error) => this.#telemetry.fault(error),
    });
    if (this.#replica !== null) this.#answering = this.#createAnswering(this.#configuration);
  }

  #watchGauges(): void {
    const cache = (): AnswerCache => this.#cache;
    const answering = (): ReturnType<typeof createAnswering> => this.#answering;
    this.#metrics.watch({
      get cache() {
        return cache();
      },
      get breaker() {
        return answering().breaker;
      },
      token: this.#token,
      connections: (protocol) => this.#server.connections(protocol),
      lists: () => this.#lists.states,
      olderDomains: () => this.#telemetry.olderDomains,
    });
  }

  #refreshToken(): number {
    const { token } = this.#configuration;
    const why = token.refresh();
    if (why !== null) this.#log.tokenUnusable(why);
    else if (this.#token.replace(token.current)) {
      this.#replica?.replica.edgeChanged();
      this.#log.tokenReplaced();
    }
    return TOKEN_PAUSE_MS;
  }

  /** Only metrics show the state of the lists. */
  async #refreshLists(): Promise<number> {
    const isShown = this.#server.listeners.some(({ name }) => name === "metrics");
    return isShown ? this.#lists.refresh() : this.#lists.firstPause;
  }

  #shownListeners(): string[] {
    return this.#server.listeners.map(({ name, address }) => `${name} ${address}`);
  }

  /** Does something later, or at the stop. */
  #after(ms: number, act: () => void): void {
    const stopped = new AbortController();
    const stop = (): void => stopped.abort("stopped");
    this.#stops.add(stop);
    void this.#options.timers.sleep(ms, stopped.signal).then(() => {
      this.#stops.delete(stop);
      act();
    });
  }
}

const listenersOf = (settings: BridgeSettings): ListenerSetting<ServedName>[] =>
  LISTENER_NAMES.flatMap((name) => settings[name].map((address) => ({ name, address })));

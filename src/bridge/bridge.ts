import { AnswerCache } from "./answers/cache.ts";
import { MinGenerations } from "./answers/min-generations.ts";
import { Resolver } from "./answers/resolver.ts";
import type { AskEdge } from "./edge-source/ask-edge.ts";
import { EdgeSource } from "./edge-source/edge-source.ts";
import { ListStates, type ListStatesOptions } from "./edge-source/list-states.ts";
import { TokenState, watchToken } from "./edge-source/token.ts";
import { type ListenAddress, showAddress } from "./listeners/address.ts";
import { BridgeServer } from "./listeners/server.ts";
import { BridgeLog } from "./observability/log.ts";
import { BridgeMetrics } from "./observability/metrics.ts";
import { type MetricsServer, serveMetrics } from "./observability/metrics-server.ts";
import { ReplicaTelemetry } from "./observability/replica-telemetry.ts";
import { Telemetry } from "./observability/telemetry.ts";
import type { BridgePorts } from "./ports.ts";
import { PROTOCOL_NAMES, PROTOCOLS } from "./protocols/index.ts";
import { repeat } from "./repeat.ts";
import { type OpenReplica, openReplica, type ReplicaHost } from "./replica/open-replica.ts";
import type { ReplicaEdge } from "./replica/ports.ts";
import { ReplicaSource } from "./replica/replica-source.ts";
import type { BridgeSettings } from "./settings.ts";

/** Questions per request about one domain, if `max_questions` are asked at the same time. */
const QUESTIONS_PER_REQUEST = 8;

export interface BridgeOptions extends BridgePorts {
  readonly settings: BridgeSettings;
  readonly ask: AskEdge;
  /** For a bridge with a replica. */
  readonly replica?: { readonly host: ReplicaHost; readonly edge: ReplicaEdge };
  /** Asks the edge for the state of the lists. */
  readonly lists: Pick<ListStatesOptions, "page" | "chance">;
  /** The token that the edge is asked with; only its expiry is read. */
  readonly token: string;
  /** The edge's URL, for the log. */
  readonly edge: string;
  /** Writes one line of the log. */
  writeLog(line: string): void;
  /** Unix milliseconds, for the log. */
  wall(): number;
}

/** One address that the bridge listens on, such as `socketmap` and `127.0.0.1:10023`. */
export interface Listener {
  readonly name: string;
  readonly address: string;
}

export interface RunningBridge {
  readonly listeners: readonly Listener[];
  /** To be called at SIGHUP: logs that it has no effect. */
  hangup(): void;
  /** Answers what was asked, and ends within five seconds. */
  stop(signal: string): Promise<void>;
}

/**
 * Starts a bridge: all listeners, or none.
 * @throws ListenError, FolderError
 */
export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const { settings, clock, timers, wall } = options;
  const log = new BridgeLog({ level: settings.log_level, write: options.writeLog, wall });
  const metrics = new BridgeMetrics();
  const token = new TokenState(options.token, wall);
  const minGenerations = new MinGenerations();
  const cache = new AnswerCache(settings.cache_bytes, minGenerations);
  const telemetry = new Telemetry(log, metrics, token, settings.log_observed);
  const fault = (error: unknown): void => telemetry.fault(error);
  const ports: BridgePorts = { clock, timers };
  const edgeSource = new EdgeSource({
    ports,
    ask: options.ask,
    timeout: 1000 * settings.timeout,
    maxQuestions: settings.max_questions,
    maxRequests: Math.ceil(settings.max_questions / QUESTIONS_PER_REQUEST),
    failures: settings.breaker_failures,
    observer: telemetry,
  });
  const replica = await startReplica(options, log, metrics, fault);
  const source = replica === null ? edgeSource : new ReplicaSource(replica.replica, edgeSource, ports);
  const resolver = new Resolver({
    ports,
    source,
    cache,
    minGenerations,
    timeout: 1000 * settings.timeout,
    acceptGrace: 1000 * settings.accept_grace,
    newLog: (domain, incarnation) => telemetry.newLog(domain, incarnation),
    fault,
  });
  const server = new BridgeServer({
    ...ports,
    maxConnections: settings.max_connections,
    socketMode: settings.socket_mode,
    rejected: (protocol) => telemetry.rejected(protocol),
    context: {
      clock,
      resolve: (recipient, now) => resolver.resolve(recipient, now),
      answered: (protocol, result, ms) => telemetry.answered(protocol, result, ms),
      malformed: (protocol, why) => telemetry.malformed(protocol, why),
      fault,
    },
  });
  const lists = new ListStates({ ...options.lists, refreshed: (result) => telemetry.refreshed(result) });
  metrics.watch({
    cache,
    breaker: edgeSource.breaker,
    token,
    connections: (protocol) => server.connections(protocol),
    lists: () => lists.states,
  });

  const pages: MetricsServer[] = [];
  const stops: (() => void)[] = [() => resolver.stop()];
  const close = async (): Promise<void> => {
    for (const stop of stops) stop();
    await replica?.stop();
    await server.stop();
    await Promise.all(pages.map((page) => page.close()));
  };
  const listeners: Listener[] = [];
  const started = (name: string, address: ListenAddress): void => {
    listeners.push({ name, address: showAddress(address) });
  };
  try {
    for (const name of PROTOCOL_NAMES) {
      for (const address of settings[name]) started(name, await server.listen(PROTOCOLS[name], address));
    }
    for (const address of settings.metrics) {
      const page = await serveMetrics(metrics, () => token.fault, address, settings.socket_mode);
      pages.push(page);
      started("metrics", page.address);
    }
  } catch (error) {
    await close();
    throw error;
  }
  log.started(
    listeners.map(({ name, address }) => `${name} ${address}`),
    options.edge,
  );
  const warn = (why: string, isExpired: boolean): void => log.token(why, isExpired);
  stops.push(repeat(timers, 0, watchToken(token, warn, wall)));
  // Only metrics show the state of the lists.
  if (settings.metrics.length > 0) stops.push(repeat(timers, lists.firstPause, () => lists.refresh()));
  return {
    listeners,
    hangup: () => log.hangup(),
    async stop(signal) {
      log.stopping(signal);
      await close();
      log.stopped();
    },
  };
}

/** Null without a replica, or if its folder belongs to a newer release. @throws FolderError */
async function startReplica(
  { settings, timers, replica }: BridgeOptions,
  log: BridgeLog,
  metrics: BridgeMetrics,
  fault: (error: unknown) => void,
): Promise<OpenReplica | null> {
  if (settings.replica === null || replica === undefined) return null;
  const telemetry = new ReplicaTelemetry(log, metrics.registry, fault);
  const opened = await openReplica({
    ...replica,
    folder: settings.replica,
    domains: settings.domain,
    acceptGrace: 1000 * settings.accept_grace,
    cacheBytes: settings.replica_bytes,
    timers,
    observer: telemetry,
  });
  if (opened === null) return null;
  telemetry.watch({ states: () => opened.replica.states(), unwrittenBytes: opened.unwrittenBytes });
  opened.replica.start();
  return opened;
}

import type { ClientError } from "../client/index.ts";
import { type ListenAddress, showAddress } from "./address.ts";
import { Batcher } from "./batcher.ts";
import { Breaker } from "./breaker.ts";
import { AnswerCache } from "./cache.ts";
import type { ConnectionContext } from "./connection.ts";
import { Floors } from "./floors.ts";
import { Gate } from "./gate.ts";
import { BridgeLog } from "./log.ts";
import { BridgeMetrics } from "./metrics.ts";
import { type MetricsServer, serveMetrics } from "./metrics-server.ts";
import type { AskEdge, BridgePorts } from "./ports.ts";
import { PROTOCOLS } from "./protocols/index.ts";
import { PROTOCOL_NAMES } from "./protocols/protocol.ts";
import { Resolver } from "./resolver.ts";
import { BridgeServer } from "./server.ts";
import type { BridgeSettings } from "./settings.ts";

/** Longest pause between two tries of an edge that fails, ms. */
const LONGEST_PAUSE = 1_000;
/** Questions about one domain for each request, where as many are asked as may be. */
const QUESTIONS_PER_REQUEST = 8;
/** Questions that may wait for a place to be asked. */
const MAX_WAITING = 10_000;

export interface BridgeOptions extends BridgePorts {
  readonly settings: BridgeSettings;
  readonly ask: AskEdge;
  /** The edge's URL, for the log. */
  readonly edge: string;
  /** Takes one line of the log. */
  writeLog(line: string): void;
  /** Unix milliseconds, for the log. */
  wall(): number;
}

/** A bridge that listens. */
export interface RunningBridge {
  /** Where: `socketmap 127.0.0.1:10023`. */
  readonly listeners: readonly { readonly name: string; readonly address: string }[];
  /** Answers what was asked, and ends within five seconds. */
  stop(signal: string): Promise<void>;
}

/**
 * Starts a bridge: all listeners, or none.
 * @throws ListenError
 */
export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const { settings, ask, clock, timers } = options;
  const ports: BridgePorts = { clock, timers };
  const log = new BridgeLog({ level: settings.log_level, write: options.writeLog, wall: options.wall });
  const metrics = new BridgeMetrics();
  const fault = (error: unknown): void => {
    log.fault(error);
    metrics.fault();
  };
  const floors = new Floors();
  const cache = new AnswerCache(settings.cache_bytes, floors);
  const breaker = new Breaker(ports, {
    failures: settings.breaker_failures,
    longestPause: LONGEST_PAUSE,
    onChange(state) {
      log.breaker(state);
      metrics.breaker(state);
    },
  });
  const resolver = new Resolver({
    ports,
    batcher: new Batcher(
      (recipients, domain, floor) => {
        metrics.requested();
        return ask(recipients, domain, floor);
      },
      Math.ceil(settings.max_questions / QUESTIONS_PER_REQUEST),
    ),
    cache,
    floors,
    breaker,
    gate: new Gate(settings.max_questions, MAX_WAITING),
    budget: 1000 * settings.timeout,
    acceptGrace: 1000 * settings.accept_grace,
    observer: {
      asked(ms, why) {
        metrics.asked(ms, why?.kind ?? null);
        if (why !== null) log.noAnswer(why.kind, why.status, wordsOf(why));
      },
      startedOver(domain, incarnation) {
        metrics.startedOver();
        log.startedOver(domain, incarnation);
      },
      fault,
    },
  });
  const context: ConnectionContext = {
    clock,
    resolve: (recipient, now) => resolver.resolve(recipient, now),
    answered: (protocol, said, ms) => metrics.answered(protocol.name, said, ms),
    faulty(protocol, why) {
      metrics.badQuestion(protocol.name);
      log.badQuestion(protocol.name, why);
    },
    fault,
  };
  const server = new BridgeServer({
    ...ports,
    context,
    maxConnections: settings.max_connections,
    socketMode: settings.socket_mode,
    turnedAway({ name }) {
      metrics.turnedAway(name);
      log.turnedAway(name);
    },
  });
  metrics.watch({ cache, breaker, connections: (protocol) => server.connections(protocol) });

  const pages: MetricsServer[] = [];
  const close = async (): Promise<void> => {
    resolver.stop();
    await server.stop();
    await Promise.all(pages.map((page) => page.close()));
  };
  const listeners: { name: string; address: string }[] = [];
  const note = (name: string, address: ListenAddress): void => {
    listeners.push({ name, address: showAddress(address) });
  };
  try {
    for (const name of PROTOCOL_NAMES) {
      for (const address of settings[name]) {
        note(name, (await server.listen(PROTOCOLS[name], address)).address);
      }
    }
    for (const address of settings.metrics) {
      const page = await serveMetrics(metrics, address, settings.socket_mode);
      pages.push(page);
      note("metrics", page.address);
    }
  } catch (error) {
    await close();
    throw error;
  }
  log.started(
    listeners.map(({ name, address }) => `${name} ${address}`),
    options.edge,
  );
  return {
    listeners,
    async stop(signal) {
      log.stopping(signal);
      await close();
      log.stopped();
    },
  };
}

/** Words about a failure that are ours: what the other side sent might hold an address. */
const wordsOf = ({ kind, message }: ClientError): string | null =>
  kind === "unreachable" || kind === "challenge" ? message : null;

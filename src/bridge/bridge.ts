import type { ClientError } from "../client/index.ts";
import { Semaphore } from "../runtime/semaphore.ts";
import { type ListenAddress, showAddress } from "./address.ts";
import { Batcher } from "./batcher.ts";
import { Breaker } from "./breaker.ts";
import { AnswerCache } from "./cache.ts";
import type { ConnectionContext } from "./connection.ts";
import { Floors } from "./floors.ts";
import { Lists, type ListsOptions } from "./lists.ts";
import { BridgeLog } from "./log.ts";
import { BridgeMetrics } from "./metrics.ts";
import { type MetricsServer, serveMetrics } from "./metrics-server.ts";
import type { AskEdge, BridgePorts } from "./ports.ts";
import { PROTOCOLS } from "./protocols/index.ts";
import { PROTOCOL_NAMES } from "./protocols/protocol.ts";
import { Resolver } from "./resolver.ts";
import { Rounds } from "./rounds.ts";
import { BridgeServer } from "./server.ts";
import type { BridgeSettings } from "./settings.ts";
import { TokenState } from "./token.ts";

/** Longest pause between two tries of an edge that fails, ms. */
const LONGEST_PAUSE = 1_000;
/** Questions about one domain for each request, where as many are asked as may be. */
const QUESTIONS_PER_REQUEST = 8;
/** Pauses between two looks at the token's end, and what a warning of it is not repeated within, ms. */
const TOKEN_PAUSE = 60_000;
const TOKEN_QUIET = 86_400_000;
/** Questions that may wait for a place to be asked. */
const MAX_WAITING = 10_000;

export interface BridgeOptions extends BridgePorts {
  readonly settings: BridgeSettings;
  readonly ask: AskEdge;
  /** Asks the edge how the lists stand. */
  readonly lists: Pick<ListsOptions, "page" | "chance">;
  /** What the edge is asked with: read for its end, and for nothing else. */
  readonly token: string;
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
  /** SIGHUP came: says in the log that nothing follows from it. */
  hungUp(): void;
  /** Answers what was asked, and ends within five seconds. */
  stop(signal: string): Promise<void>;
}

/**
 * Starts a bridge: all listeners, or none.
 * @throws ListenError
 */
export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const { settings, ask, clock, timers, wall } = options;
  const ports: BridgePorts = { clock, timers };
  const log = new BridgeLog({ level: settings.log_level, write: options.writeLog, wall });
  const token = new TokenState(options.token, wall);
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
    semaphore: new Semaphore(settings.max_questions),
    maxWaiting: MAX_WAITING,
    budget: 1000 * settings.timeout,
    acceptGrace: 1000 * settings.accept_grace,
    observer: {
      asked(ms, why) {
        metrics.asked(ms, why?.kind ?? null);
        token.heard(why?.kind === "unauthorized");
        if (why !== null) log.noAnswer(why.kind, why.status, wordsOf(why, token));
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
    answered(protocol, said, ms) {
      metrics.answered(protocol.name, said, ms);
      if (settings.log_observed && typeof said !== "string" && said.answer.observed !== undefined) {
        log.observed(protocol.name, said.answer);
      }
    },
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
  const lists = new Lists({
    ...options.lists,
    looked(result) {
      metrics.looked(result);
      // Where nobody asks about anybody, this is what finds out.
      if (result === "ok" || result === "unauthorized") token.heard(result === "unauthorized");
    },
  });
  metrics.watch({
    cache,
    breaker,
    token,
    connections: (protocol) => server.connections(protocol),
    lists: () => lists.states,
  });

  const pages: MetricsServer[] = [];
  const rounds: Rounds[] = [];
  const close = async (): Promise<void> => {
    resolver.stop();
    for (const each of rounds) each.stop();
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
      const page = await serveMetrics(metrics, () => token.fault, address, settings.socket_mode);
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
  rounds.push(new Rounds(timers, 0, watchToken(token, log, wall)));
  // Nobody would see what comes of it.
  if (settings.metrics.length > 0) rounds.push(new Rounds(timers, lists.first, () => lists.look()));
  return {
    listeners,
    hungUp: () => log.hungUp(),
    async stop(signal) {
      log.stopping(signal);
      await close();
      log.stopped();
    },
  };
}

/** Says that the token ends, from a week before: once a day, and once more when it has ended. */
function watchToken(token: TokenState, log: BridgeLog, wall: () => number): () => number {
  let saidAt = Number.NEGATIVE_INFINITY;
  let wasOver = false;
  return () => {
    const { warning } = token;
    const isOver = typeof token.expires === "number" && token.expires <= wall();
    if (warning !== null && (isOver !== wasOver || Math.abs(wall() - saidAt) >= TOKEN_QUIET)) {
      log.token(warning, isOver);
      saidAt = wall();
      wasOver = isOver;
    }
    return TOKEN_PAUSE;
  };
}

/** Words about a failure that are ours: what the other side sent might hold an address. */
function wordsOf({ kind, message }: ClientError, token: TokenState): string | null {
  switch (kind) {
    case "unauthorized":
      return token.fault;
    case "forbidden":
      return "the token's role or domains do not cover this (403)";
    case "unreachable":
    case "challenge":
      return message;
    default:
      return null;
  }
}

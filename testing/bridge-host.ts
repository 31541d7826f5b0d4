/** One bridge: the real resolver, cache and edge source, and the real client, under virtual time. */
import { AnswerCache } from "../src/bridge/answers/cache.ts";
import { MinGenerations } from "../src/bridge/answers/min-generations.ts";
import type { Resolution } from "../src/bridge/answers/resolution.ts";
import { Resolver } from "../src/bridge/answers/resolver.ts";
import { askEdgeWith } from "../src/bridge/edge-source/ask-edge.ts";
import { EdgeSource } from "../src/bridge/edge-source/edge-source.ts";
import type { BridgePorts } from "../src/bridge/ports.ts";
import { type LocalLists, ReplicaSource } from "../src/bridge/replica/replica-source.ts";
import type { Outcome } from "../src/client/index.ts";
import { clientOf, sleep } from "./client.ts";
import { BRIDGE_BUDGET } from "./limits.ts";
import type { Fetch } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface BridgeHostParts<Host> {
  readonly time: VirtualTime;
  /** `fetch` as the bridge has it; `via` receives the isolate that takes the request. */
  fetch(via: (host: Host) => void): Fetch;
  token(): string;
  /** Lists on the host of the bridge; by default there are none. */
  readonly replica?: LocalLists;
  readonly acceptGrace: number;
  readonly cacheBytes: number;
  /** The edge answered a question, or did not. */
  answered(outcome: Outcome, domain: string, askedAt: number, host: Host | null): void;
  /** Counts something rare that happened. */
  met(what: string): void;
}

/** Requests at the same time: few, so that questions wait for others and go along with them. */
const REQUESTS = 2;

export class BridgeHost<Host> {
  readonly #resolver: Resolver;

  constructor(parts: BridgeHostParts<Host>) {
    const { time, acceptGrace } = parts;
    const started = time.now();
    const ports: BridgePorts = {
      clock: { now: () => time.now() - started },
      timers: { sleep: (ms, signal) => sleep(time, ms, signal) },
    };
    const minGenerations = new MinGenerations();
    const edge = new EdgeSource({
      ports,
      ask: async (recipients, domain, minGeneration) => {
        const askedAt = time.now();
        let taker: Host | null = null;
        // A client of its own, so that it is known who answered this one request.
        const fetch = parts.fetch((host) => {
          taker = host;
        });
        const client = clientOf(time, fetch, parts.token(), BRIDGE_BUDGET);
        if (recipients.length > 1) parts.met("bridge asks about several at once");
        const outcomes = await askEdgeWith(client)(recipients, domain, minGeneration);
        for (const outcome of outcomes) parts.answered(outcome, domain, askedAt, taker);
        return outcomes;
      },
      timeout: BRIDGE_BUDGET,
      maxQuestions: 64,
      maxRequests: REQUESTS,
      failures: 5,
      observer: { requested: () => undefined, asked: () => undefined, breakerChanged: () => undefined },
    });
    this.#resolver = new Resolver({
      ports,
      source: parts.replica === undefined ? edge : new ReplicaSource(parts.replica, edge, ports),
      cache: new AnswerCache(parts.cacheBytes, minGenerations),
      minGenerations,
      timeout: BRIDGE_BUDGET,
      acceptGrace,
      answered: () => undefined,
      newLog: () => parts.met("bridge starts over under a new log"),
      fault: () => parts.met("fault in a bridge"),
    });
  }

  resolve(recipient: string): Resolution | Promise<Resolution> {
    return this.#resolver.resolve(recipient);
  }
}

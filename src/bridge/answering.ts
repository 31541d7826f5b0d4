import type { AnswerCache } from "./answers/cache.ts";
import type { MinGenerations } from "./answers/min-generations.ts";
import { Resolver } from "./answers/resolver.ts";
import type { AskEdge } from "./edge-source/ask-edge.ts";
import type { Breaker } from "./edge-source/breaker.ts";
import { EdgeSource } from "./edge-source/edge-source.ts";
import type { Telemetry } from "./observability/telemetry.ts";
import type { BridgePorts } from "./ports.ts";
import { type LocalLists, ReplicaSource } from "./replica/replica-source.ts";
import type { BridgeSettings } from "./settings.ts";

/** Questions per request about one domain, if `max_questions` are asked at the same time. */
const QUESTIONS_PER_REQUEST = 8;

/** What answers questions under one set of settings. A reload makes another one, with the same cache. */
export interface Answering {
  readonly resolver: Resolver;
  readonly breaker: Breaker;
}

export function createAnswering(
  { clock, timers }: BridgePorts,
  settings: BridgeSettings,
  ask: AskEdge,
  { cache, minGenerations }: { readonly cache: AnswerCache; readonly minGenerations: MinGenerations },
  telemetry: Telemetry,
  replica: LocalLists | null,
): Answering {
  const ports: BridgePorts = { clock, timers };
  const edge = new EdgeSource({
    ports,
    ask,
    timeout: 1000 * settings.timeout,
    maxQuestions: settings.max_questions,
    maxRequests: Math.ceil(settings.max_questions / QUESTIONS_PER_REQUEST),
    failures: settings.breaker_failures,
    observer: telemetry,
  });
  const resolver = new Resolver({
    ports,
    source: replica === null ? edge : new ReplicaSource(replica, edge, ports),
    cache,
    minGenerations,
    timeout: 1000 * settings.timeout,
    acceptGrace: 1000 * settings.accept_grace,
    answered: (domain, isOlder) => telemetry.edgeAnswered(domain, isOlder),
    newLog: (domain, incarnation) => telemetry.newLog(domain, incarnation),
    fault: (error) => telemetry.fault(error),
  });
  return { resolver, breaker: edge.breaker };
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { VERDICTS } from "../directory/index.ts";
import type { Breaker, BreakerState } from "./breaker.ts";
import type { AnswerCache } from "./cache.ts";
import { PROTOCOL_NAMES, type ProtocolName, type Said } from "./protocols/protocol.ts";
import type { Resolution, Source } from "./resolver.ts";

/** From a cache hit to the end of everybody's patience, seconds. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5];
const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, "half-open": 1, open: 2 };

/** What the gauges read when they are scraped. */
export interface Watched {
  readonly cache: AnswerCache;
  readonly breaker: Breaker;
  connections(protocol: ProtocolName): number;
}

type CountOf = { [verdict: string]: number };

/** Prometheus metrics. Every label has a fixed set of values, and none holds an address. */
export class BridgeMetrics {
  readonly #registry = new Registry();
  /** Counted in plain fields, and told at a scrape: finding a counter by its labels costs as much as an answer. */
  readonly #lookups = eachProtocol((): { [S in Source]: CountOf } => ({
    edge: {},
    cache: {},
    grace: {},
    local: {},
    none: {},
  }));
  readonly #seconds: { readonly [P in ProtocolName]: Histogram.Internal<"protocol"> };
  readonly #edgeSeconds = new Histogram({
    name: "rollcall_bridge_edge_seconds",
    help: "Time of one exchange with the edge, by what came of it",
    labelNames: ["result"],
    buckets: BUCKETS,
    registers: [this.#registry],
  });
  readonly #badQuestions = new Counter({
    name: "rollcall_bridge_bad_questions_total",
    help: "Connections that were closed over bytes that are no question",
    labelNames: ["protocol"],
    registers: [this.#registry],
  });
  readonly #turnedAway = new Counter({
    name: "rollcall_bridge_turned_away_total",
    help: "Connections that were one too many",
    labelNames: ["protocol"],
    registers: [this.#registry],
  });
  readonly #faults = new Counter({
    name: "rollcall_bridge_faults_total",
    help: "Faults of the bridge itself; the question was deferred",
    registers: [this.#registry],
  });
  readonly #transitions = new Counter({
    name: "rollcall_bridge_breaker_changes_total",
    help: "Changes of the circuit breaker, by the state that it came to",
    labelNames: ["state"],
    registers: [this.#registry],
  });

  constructor() {
    const lookups = this.#lookups;
    new Counter({
      name: "rollcall_bridge_lookups_total",
      help: "Answers to MTAs, by protocol, verdict and where the answer came from",
      labelNames: ["protocol", "verdict", "source"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [protocol, sources] of Object.entries(lookups)) {
          for (const [source, verdicts] of Object.entries(sources)) {
            for (const [verdict, count] of Object.entries(verdicts)) {
              this.inc({ protocol, verdict, source }, count);
            }
          }
        }
      },
    });
    const seconds = new Histogram({
      name: "rollcall_bridge_lookup_seconds",
      help: "Time from a whole question to its answer",
      labelNames: ["protocol"],
      buckets: BUCKETS,
      registers: [this.#registry],
    });
    this.#seconds = eachProtocol((protocol) => seconds.labels(protocol));
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page that Prometheus scrapes. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Adds gauges that are read at each scrape. */
  watch({ cache, breaker, connections }: Watched): void {
    this.#gauge("rollcall_bridge_cache_bytes", "Bytes that cached answers take", () => cache.bytes);
    this.#gauge("rollcall_bridge_cache_entries", "Cached answers", () => cache.size);
    this.#gauge(
      "rollcall_bridge_cache_evictions",
      "Answers that made room since the start",
      () => cache.evictions,
    );
    this.#gauge(
      "rollcall_bridge_breaker_state",
      "Circuit breaker to the edge: 0 closed, 1 half-open, 2 open",
      () => STATE_VALUES[breaker.state],
    );
    new Gauge({
      name: "rollcall_bridge_connections",
      help: "Open connections of MTAs",
      labelNames: ["protocol"],
      registers: [this.#registry],
      collect() {
        for (const protocol of PROTOCOL_NAMES) this.set({ protocol }, connections(protocol));
      },
    });
  }

  answered(protocol: ProtocolName, said: Resolution | Said, ms: number): void {
    const [verdict, source] =
      typeof said === "string"
        ? [said, "local" as const]
        : [Object.hasOwn(VERDICTS, said.answer.verdict) ? said.answer.verdict : "other", said.source];
    const counts = this.#lookups[protocol][source];
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    this.#seconds[protocol].observe(ms / 1000);
  }

  asked(ms: number, fault: string | null): void {
    this.#edgeSeconds.observe({ result: fault ?? "answer" }, ms / 1000);
  }

  badQuestion(protocol: ProtocolName): void {
    this.#badQuestions.inc({ protocol });
  }

  turnedAway(protocol: ProtocolName): void {
    this.#turnedAway.inc({ protocol });
  }

  fault(): void {
    this.#faults.inc();
  }

  breaker(state: BreakerState): void {
    this.#transitions.inc({ state });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}

const eachProtocol = <T>(make: (protocol: ProtocolName) => T): Readonly<Record<ProtocolName, T>> =>
  Object.fromEntries(PROTOCOL_NAMES.map((name) => [name, make(name)])) as Record<ProtocolName, T>;

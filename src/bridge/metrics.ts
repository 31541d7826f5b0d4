import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Breaker, BreakerState } from "./breaker.ts";
import type { AnswerCache } from "./cache.ts";
import { LookupCounts } from "./counts.ts";
import { Durations } from "./durations.ts";
import type { ListState, LookResult } from "./lists.ts";
import { PROTOCOL_NAMES, type ProtocolName, type Said } from "./protocols/protocol.ts";
import type { Resolution } from "./resolver.ts";
import type { TokenState } from "./token.ts";

const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, "half-open": 1, open: 2 };

/** What the gauges read when they are scraped. */
export interface Watched {
  readonly cache: AnswerCache;
  readonly breaker: Breaker;
  readonly token: TokenState;
  connections(protocol: ProtocolName): number;
  /** The lists that the token covers, as they were last seen. */
  lists(): readonly ListState[];
}

/** Prometheus metrics. Every label has a fixed set of values, and none holds an address. */
export class BridgeMetrics {
  readonly #registry = new Registry();
  readonly #lookups = new LookupCounts();
  readonly #seconds = new Durations(
    "rollcall_bridge_lookup_seconds",
    "Time from a whole question to its answer",
    "protocol",
  );
  readonly #edgeSeconds = new Durations(
    "rollcall_bridge_edge_seconds",
    "Time that the edge was waited for, a question each, by what came of it",
    "result",
  );
  readonly #edgeRequests = new Counter({
    name: "rollcall_bridge_edge_requests_total",
    help: "Requests to the edge; where many are asked about at once, they go together",
    registers: [this.#registry],
  });
  readonly #looks = new Counter({
    name: "rollcall_bridge_list_looks_total",
    help: "Times that the edge was asked how the lists stand, by what came of it",
    labelNames: ["result"],
    registers: [this.#registry],
  });
  readonly #startedOver = new Counter({
    name: "rollcall_bridge_started_over_total",
    help: "Domains of which the bridge forgot what it had seen, since the Registry began a new log",
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
      help: "Answers to MTAs, by protocol, verdict, what the MTA was told to do, mode, and where the answer came from",
      labelNames: ["protocol", "verdict", "action", "mode", "source"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, count] of lookups.entries()) this.inc({ ...labels }, count);
      },
    });
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page that Prometheus scrapes. */
  async text(): Promise<string> {
    return (await this.#registry.metrics()) + this.#seconds.text() + this.#edgeSeconds.text();
  }

  /** Adds gauges that are read at each scrape. */
  watch({ cache, breaker, token, connections, lists }: Watched): void {
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
    this.#gauge("rollcall_bridge_ready", "Whether nothing is known against the token: 1, or 0", () =>
      token.fault === null ? 1 : 0,
    );
    this.#gauge(
      "rollcall_bridge_token_expires_timestamp_seconds",
      "When the token expires, by what it says of itself: +Inf for never, NaN where it cannot be read",
      () => secondsOf(token.expires),
    );
    this.#byDomain(
      "rollcall_bridge_list_generation",
      "Generation of a domain's list",
      lists,
      (it) => it.generation,
    );
    this.#byDomain(
      "rollcall_bridge_list_published_timestamp_seconds",
      "When a domain's list was published",
      lists,
      (it) => it.time / 1000,
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
    this.#lookups.add(protocol, said);
    this.#seconds.observe(protocol, ms);
  }

  requested(): void {
    this.#edgeRequests.inc();
  }

  /** One question to the edge is over. */
  asked(ms: number, fault: string | null): void {
    this.#edgeSeconds.observe(fault ?? "answer", ms);
  }

  startedOver(): void {
    this.#startedOver.inc();
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

  /** The lists of the domains were asked for. */
  looked(result: LookResult): void {
    this.#looks.inc({ result });
  }

  #byDomain(
    name: string,
    help: string,
    lists: () => readonly ListState[],
    read: (list: ListState) => number,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ["domain"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const list of lists()) this.set({ domain: list.domain }, read(list));
      },
    });
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

const secondsOf = (time: number | null | undefined): number =>
  time === undefined ? Number.NaN : time === null ? Number.POSITIVE_INFINITY : time / 1000;

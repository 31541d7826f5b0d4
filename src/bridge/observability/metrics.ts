import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { VERSION } from "../../api/index.ts";
import type { AnswerCache } from "../answers/cache.ts";
import type { Resolution } from "../answers/resolution.ts";
import type { Breaker, BreakerState } from "../edge-source/breaker.ts";
import { type ListState, REFRESH_RESULTS, type RefreshResult } from "../edge-source/list-states.ts";
import type { TokenState } from "../edge-source/token.ts";
import { LOOKUP_NAMES } from "../protocols/lookups.ts";
import type { LocalVerdict } from "../protocols/protocol.ts";
import { Durations } from "./durations.ts";
import { LookupCounts } from "./lookup-counts.ts";

const PREFIX = "rollcall_bridge_";
const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, "half-open": 1, open: 2 };

/** What the gauges read at each scrape. A reload may replace the cache and the breaker. */
export interface GaugeSources {
  readonly cache: AnswerCache;
  readonly breaker: Breaker;
  readonly token: TokenState;
  connections(protocol: string): number;
  /** The lists that the token covers, as of the last refresh. */
  lists(): readonly ListState[];
  /** Domains of which the edge has known only an older state for minutes. */
  olderDomains(): number;
}

/** Prometheus metrics. Each label has a bounded set of values, and none contains an address. */
export class BridgeMetrics {
  readonly #registry = new Registry();
  readonly #lookups = new LookupCounts();
  readonly #seconds = new Durations(
    `${PREFIX}lookup_seconds`,
    "Time from a complete question to its answer",
    "protocol",
  );
  readonly #edgeSeconds = new Durations(
    `${PREFIX}edge_seconds`,
    "Time that one question waited for the edge, by result",
    "result",
  );
  readonly #requests = this.#counter("edge_requests_total", "Requests to the edge, of one or more questions");
  readonly #refreshes = this.#counter("list_looks_total", "Refreshes of the list metrics", "result");
  readonly #newLogs = this.#counter(
    "started_over_total",
    "Domains whose cached answers are no longer fresh because the Registry started a new log",
  );
  readonly #malformed = this.#counter(
    "bad_questions_total",
    "Connections closed because of a malformed request",
    "protocol",
  );
  readonly #rejected = this.#counter("turned_away_total", "Connections above max_connections", "protocol");
  readonly #foreign = this.#counter(
    "foreign_total",
    "Connections from networks that allow_remote does not name",
    "protocol",
  );
  readonly #faults = this.#counter(
    "faults_total",
    "Internal errors of the bridge; the recipient was deferred",
  );
  readonly #breakerChanges = this.#counter(
    "breaker_changes_total",
    "State changes of the circuit breaker, by new state",
    "state",
  );

  constructor() {
    const lookups = this.#lookups;
    new Counter({
      name: `${PREFIX}lookups_total`,
      help: "Answers to mail servers, by protocol, verdict, action, mode of the domain, and source of the answer",
      labelNames: ["protocol", "verdict", "action", "mode", "source"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, count] of lookups.entries()) this.inc({ ...labels }, count);
      },
    });
    this.#byReason(
      "refusals_total",
      "Recipients that mail servers were told to refuse, by verdict",
      lookups.refusals,
    );
    this.#byReason(
      "deferrals_total",
      "Recipients that mail servers were told to defer, by verdict, or by the reason for which there was none",
      lookups.deferrals,
    );
    new Gauge({
      name: "rollcall_build_info",
      help: "1, with the release of Rollcall and of Node as labels",
      labelNames: ["version", "node"],
      registers: [this.#registry],
    }).set({ version: VERSION, node: process.version }, 1);
    // From 0 on, so that alerts see the first of each, and that one never happened.
    for (const protocol of LOOKUP_NAMES) {
      for (const counter of [this.#malformed, this.#rejected, this.#foreign]) counter.inc({ protocol }, 0);
    }
    for (const result of REFRESH_RESULTS) this.#refreshes.inc({ result }, 0);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** For metrics of a part that not every bridge has. */
  get registry(): Registry {
    return this.#registry;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page that Prometheus scrapes. */
  async text(): Promise<string> {
    return (await this.#registry.metrics()) + this.#seconds.text() + this.#edgeSeconds.text();
  }

  /** Adds gauges that are read at each scrape. */
  watch(sources: GaugeSources): void {
    const { token, connections, lists } = sources;
    const gauge = (name: string, help: string, read: () => number): void =>
      this.#gauge(name, help, (it) => it.set(read()));
    gauge("cache_bytes", "Estimated size of the cached answers", () => sources.cache.bytes);
    gauge("cache_entries", "Cached answers", () => sources.cache.size);
    gauge(
      "cache_evictions",
      "Cached answers removed to make room, since the start",
      () => sources.cache.evictions,
    );
    gauge(
      "breaker_state",
      "Circuit breaker to the edge: 0 closed, 1 half-open, 2 open",
      () => STATE_VALUES[sources.breaker.state],
    );
    gauge(
      "edge_older_domains",
      "Domains of which the edge has known only an older state than this host for minutes",
      () => sources.olderDomains(),
    );
    gauge("ready", "1, or 0 if the token expired or the edge refuses it", () =>
      token.fault === null ? 1 : 0,
    );
    gauge(
      "token_expires_timestamp_seconds",
      "When the token expires, as stated in the token: +Inf for never, NaN if it cannot be read",
      () => secondsOf(token.expires),
    );

    const byDomain = (name: string, help: string, read: (list: ListState) => number): void =>
      this.#gauge(
        name,
        help,
        (it) => {
          for (const list of lists()) it.set({ domain: list.domain }, read(list));
        },
        "domain",
      );
    byDomain("list_generation", "Generation of a domain's list", (it) => it.generation);
    byDomain(
      "list_published_timestamp_seconds",
      "When a domain's list was published",
      (it) => it.time / 1000,
    );
    byDomain(
      "list_held_names",
      "Names that left a domain's list and that the brake holds, until a person decides",
      (it) => it.held,
    );
    byDomain(
      "list_refuses_from_timestamp_seconds",
      "When a domain's list refuses again after a change that defers all its refusals; 0 if it refuses",
      (it) => it.refusesFrom / 1000,
    );
    this.#gauge(
      "connections",
      "Open connections of mail servers",
      (it) => {
        for (const protocol of LOOKUP_NAMES) it.set({ protocol }, connections(protocol));
      },
      "protocol",
    );
  }

  answered(protocol: string, result: Resolution | LocalVerdict, ms: number): void {
    this.#lookups.add(protocol, result);
    this.#seconds.observe(protocol, ms);
  }

  requested(): void {
    this.#requests.inc();
  }

  /** One question to the edge ended. */
  asked(ms: number, error: string | null): void {
    this.#edgeSeconds.observe(error ?? "answer", ms);
  }

  newLog(): void {
    this.#newLogs.inc();
  }

  malformed(protocol: string): void {
    this.#malformed.inc({ protocol });
  }

  rejected(protocol: string): void {
    this.#rejected.inc({ protocol });
  }

  foreign(protocol: string): void {
    this.#foreign.inc({ protocol });
  }

  fault(): void {
    this.#faults.inc();
  }

  breakerChanged(state: BreakerState): void {
    this.#breakerChanges.inc({ state });
  }

  refreshed(result: RefreshResult): void {
    this.#refreshes.inc({ result });
  }

  #byReason(name: string, help: string, counts: Readonly<Record<string, number>>): void {
    new Counter({
      name: PREFIX + name,
      help,
      labelNames: ["reason"],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(counts)) this.inc({ reason }, count);
      },
    });
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, collect: (gauge: Gauge) => void, ...labelNames: string[]): void {
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  }
}

const secondsOf = (time: number | null | undefined): number =>
  time === undefined ? Number.NaN : time === null ? Number.POSITIVE_INFINITY : time / 1000;

import type { ClientError } from "../../client/index.ts";
import { OlderEdge } from "../answers/older-edge.ts";
import type { Resolution } from "../answers/resolution.ts";
import type { BreakerState } from "../edge-source/breaker.ts";
import type { EdgeObserver } from "../edge-source/edge-source.ts";
import type { RefreshResult } from "../edge-source/list-states.ts";
import type { TokenState } from "../edge-source/token.ts";
import type { SteadyClock } from "../ports.ts";
import type { LocalVerdict, NamedLookup } from "../protocols/protocol.ts";
import type { BridgeLog } from "./log.ts";
import type { BridgeMetrics } from "./metrics.ts";

/** Reports what the bridge does to its log and its metrics, and what the edge says of the token to its state. */
export class Telemetry implements EdgeObserver {
  readonly #log: BridgeLog;
  readonly #metrics: BridgeMetrics;
  readonly #token: TokenState;
  readonly #older: OlderEdge;
  /** Whether to log each recipient that only observe mode accepts. */
  logObserved = false;

  constructor(log: BridgeLog, metrics: BridgeMetrics, token: TokenState, clock: SteadyClock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#token = token;
    this.#older = new OlderEdge(clock, (domain, isBehind) => log.olderEdge(domain, isBehind));
  }

  /** Domains of which the edge has known only an older state for minutes. */
  get olderDomains(): number {
    return this.#older.domains;
  }

  requested(): void {
    this.#metrics.requested();
  }

  asked(ms: number, error: ClientError | null): void {
    this.#metrics.asked(ms, error?.kind ?? null);
    this.#token.heard(error?.kind === "unauthorized");
    if (error !== null) this.#log.noAnswer(error.kind, error.status, this.#reasonOf(error));
  }

  breakerChanged(state: BreakerState, before: BreakerState): void {
    this.#log.breaker(state, before);
    this.#metrics.breakerChanged(state);
  }

  refreshed(result: RefreshResult): void {
    this.#metrics.refreshed(result);
    // On a host without mail, only this notices that the token is refused.
    if (result === "ok" || result === "unauthorized") this.#token.heard(result === "unauthorized");
  }

  /** The edge answered about a domain. @param isOlder whether it knows only an older state than this host */
  edgeAnswered(domain: string, isOlder: boolean): void {
    this.#older.note(domain, isOlder);
  }

  newLog(domain: string, incarnation: number): void {
    this.#metrics.newLog();
    this.#log.newLog(domain, incarnation);
  }

  answered({ name }: NamedLookup, result: Resolution | LocalVerdict, ms: number): void {
    this.#metrics.answered(name, result, ms);
    if (this.logObserved && typeof result !== "string" && result.answer.observed !== undefined) {
      this.#log.observed(name, result.answer);
    }
  }

  malformed({ name }: NamedLookup, why: string): void {
    this.#metrics.malformed(name);
    this.#log.malformed(name, why);
  }

  rejected({ name }: NamedLookup): void {
    this.#metrics.rejected(name);
    this.#log.rejected(name);
  }

  foreign({ name }: NamedLookup): void {
    this.#metrics.foreign(name);
    this.#log.foreign(name);
  }

  fault(error: unknown): void {
    this.#log.fault(error);
    this.#metrics.fault();
  }

  /** Why there was no answer, in the bridge's own words: what the other side sent may contain an address. */
  #reasonOf({ kind, message }: ClientError): string | null {
    switch (kind) {
      case "unauthorized":
        return this.#token.fault;
      case "forbidden":
        return "the token's role or domains do not cover this (403)";
      case "unreachable":
      case "challenge":
        return message;
      default:
        return null;
    }
  }
}

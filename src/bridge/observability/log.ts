import { type Logger, pino } from "pino";
import type { Answer } from "../../directory/index.ts";
import type { BreakerState } from "../edge-source/breaker.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type WrittenLevel = Exclude<LogLevel, "silent">;

const BREAKER_LINES: Readonly<Record<BreakerState, readonly [WrittenLevel, text: string]>> = {
  closed: ["info", "the edge answers again"],
  open: ["warn", "the edge fails; recipients are deferred"],
  "half-open": ["debug", "probing the edge"],
};

/**
 * Fields of a log line: numbers and words of the bridge's own. Never a sender or a client, and a recipient only if the
 * operator asked for it: see {@link BridgeLog.observed} (law 6).
 */
type Fields = Readonly<Record<string, number | string | boolean | null | readonly string[]>>;

/** A line about the same fault within this time is counted, not written, ms. */
const REPEAT_MS = 10_000;

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one line of JSON with its newline. */
  write(line: string): void;
  /** Unix milliseconds. */
  wall(): number;
}

/** Connections of a bridge that was replaced. */
export interface ReplacedCounts {
  /** Those that the other process has. */
  readonly connections: number;
  /** Those that did not get there in time. */
  readonly closed: number;
}

/** Structured logs: a line of JSON for each event, and a method for each event, so that nothing else is logged. */
export class BridgeLog {
  readonly #logger: Logger;
  readonly #wall: () => number;
  /** By event and cause: when it was last written, and how many lines were left out since. */
  readonly #written = new Map<string, { at: number; omitted: number }>();

  constructor({ level, write, wall }: LogOptions) {
    this.#wall = wall;
    this.#logger = pino(
      {
        level,
        base: { name: "rollcall-bridge" },
        timestamp: () => `,"time":"${new Date(wall()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write },
    );
  }

  /** Lowest level that is written. */
  set level(level: LogLevel) {
    this.#logger.level = level;
  }

  started(listeners: readonly string[], edge: string): void {
    this.#write("info", "started", "listening", { listeners, edge });
  }

  stopping(signal: string): void {
    this.#write("info", "stopping", "stopping", { signal });
  }

  stopped(): void {
    this.#write("info", "stopped", "stopped");
  }

  breaker(state: BreakerState, before: BreakerState): void {
    const [level, text] = BREAKER_LINES[state];
    // An outage is news once, not at each question that tries the edge.
    const isNews = state !== "open" || before === "closed";
    this.#write(isNews ? level : "debug", "breaker", text, { state });
  }

  /** @param why a text of the bridge's own: bodies and headers of the other side are never logged */
  noAnswer(fault: string, status: number | null, why: string | null): void {
    const fields = { fault, status, why };
    this.#writeRarely("warn", "no-answer", `${fault} ${status}`, "no answer from the edge", fields);
  }

  /** One log of the Registry may contain many domains: those that follow at once are counted. */
  newLog(domain: string, incarnation: number): void {
    const text = "the Registry started a new log; cached answers of the domain are no longer fresh";
    this.#writeRarely("warn", "new-log", `${incarnation}`, text, { domain, incarnation });
  }

  /** The edge stays behind what this host knows, or no longer. A Registry has many domains: those that follow are counted. */
  olderEdge(domain: string, isBehind: boolean): void {
    const text =
      "the edge knows only an older state than this host, so nothing is refused: if the Registry was restored to an earlier time, run `rollcall registry restored`; if it is another one, restart the bridge, with a replica after `rollcall replica forget`";
    if (isBehind) this.#writeRarely("error", "edge-older", "", text, { domain });
    else
      this.#writeRarely("info", "edge-current", "", "the edge knows again what this host knows", { domain });
  }

  /** A reload has other settings of the replica. */
  replicaUnchanged(): void {
    const text = "the replica keeps its settings until the bridge is restarted or replaced (SIGUSR2)";
    this.#write("warn", "replica-unchanged", text);
  }

  /** An event of the replica. @param cause lines about the same cause are counted within {@link REPEAT_MS} */
  replica(level: WrittenLevel, event: string, cause: string, text: string, fields: Fields): void {
    this.#writeRarely(level, `replica-${event}`, cause, text, fields);
  }

  /** The token expires within a week, or has expired. */
  token(why: string, isExpired: boolean): void {
    this.#write(isExpired ? "error" : "warn", "token", why);
  }

  /** Only with `log_observed`, which the operator turns on: the one line that contains a recipient. */
  observed(protocol: string, { recipient, verdict, action, observed, generation }: Answer): void {
    const fields = { protocol, recipient, verdict, would: observed ?? null, generation };
    const message = action === "accept" ? "accepted in observe mode" : "deferred in defer mode";
    this.#write("info", "observed", message, fields);
  }

  /** SIGHUP: the settings were read again. */
  reloaded(listeners: readonly string[], edge: string): void {
    this.#write("info", "reloaded", "new settings are in use", { listeners, edge });
  }

  /** @param details the faults, each with file, line and key */
  reloadFailed(why: string, details: readonly string[]): void {
    this.#write("error", "reload-failed", `the old settings stay in use: ${why}`, { details });
  }

  /** Another process answers now. */
  replaced(pid: number | null, { connections, closed }: ReplacedCounts): void {
    const level = closed > 0 ? "warn" : "info";
    this.#write(level, "replaced", "another process has taken over", { pid, connections, closed });
  }

  replaceFailed(why: string): void {
    this.#write("error", "replace-failed", `this process continues: ${why}`);
  }

  /** The other process has ended, and this one has closed its listeners. */
  nobodyListens(why: string): void {
    this.#write("error", "replace-failed", `nobody listens any more, and this process ends: ${why}`);
  }

  tokenReplaced(): void {
    this.#write("info", "token-replaced", "the token file has changed; its new token is in use");
  }

  tokenUnusable(why: string): void {
    const text = `the old token stays in use: ${why}`;
    this.#writeRarely("error", "token-unusable", why, text, {});
  }

  /** @param protocol or `metrics` */
  foreign(protocol: string): void {
    const text = "connection rejected: allow_remote does not name its network";
    this.#writeRarely("warn", "foreign", protocol, text, { protocol });
  }

  malformed(protocol: string, why: string): void {
    this.#writeRarely("warn", "bad-question", `${protocol} ${why}`, "malformed request", { protocol, why });
  }

  rejected(protocol: string): void {
    const text = "connection rejected: max_connections reached";
    this.#writeRarely("warn", "turned-away", protocol, text, { protocol });
  }

  /** systemd was not told how the bridge is. */
  notifyFailed(why: string): void {
    const text = `systemd-notify failed: ${why}`;
    this.#writeRarely("warn", "notify-failed", why, text, {});
  }

  fault(error: unknown): void {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const where = stack?.split("\n")[1]?.trim() ?? null;
    this.#writeRarely("error", "fault", `${name} ${where}`, "internal error", { name, message, where });
  }

  #write(level: WrittenLevel, event: string, text: string, fields: Fields = {}): void {
    this.#logger[level]({ event, ...fields }, text);
  }

  /** Writes one line for the same cause within {@link REPEAT_MS}, and counts the others. */
  #writeRarely(level: WrittenLevel, event: string, cause: string, text: string, fields: Fields): void {
    const key = `${event} ${cause}`;
    const now = this.#wall();
    const last = this.#written.get(key);
    if (last !== undefined && now - last.at < REPEAT_MS && now >= last.at) {
      last.omitted++;
      return;
    }
    this.#written.set(key, { at: now, omitted: 0 });
    this.#write(level, event, text, { ...fields, ...(last ? { unwritten: last.omitted } : {}) });
  }
}

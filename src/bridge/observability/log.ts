import { type Logger, pino } from "pino";
import type { Answer } from "../../directory/index.ts";
import type { BreakerState } from "../edge-source/breaker.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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

  started(listeners: readonly string[], edge: string): void {
    this.#logger.info({ event: "started", listeners, edge } satisfies Fields, "listening");
  }

  stopping(signal: string): void {
    this.#logger.info({ event: "stopping", signal } satisfies Fields, "stopping");
  }

  stopped(): void {
    this.#logger.info({ event: "stopped" } satisfies Fields, "stopped");
  }

  breaker(state: BreakerState): void {
    const fields: Fields = { event: "breaker", state };
    if (state === "closed") this.#logger.info(fields, "the edge answers again");
    else if (state === "open") this.#logger.warn(fields, "the edge fails; recipients are deferred");
    else this.#logger.debug(fields, "probing the edge");
  }

  /** @param why a text of the bridge's own: bodies and headers of the other side are never logged */
  noAnswer(fault: string, status: number | null, why: string | null): void {
    this.#limited("warn", `no answer ${fault} ${status}`, "no answer from the edge", {
      event: "no-answer",
      fault,
      status,
      why,
    });
  }

  /** One log of the Registry may contain many domains: those that follow at once are counted. */
  newLog(domain: string, incarnation: number): void {
    const text = "the Registry started a new log; cached answers of the domain are discarded";
    this.#limited("warn", `new log ${incarnation}`, text, { event: "new-log", domain, incarnation });
  }

  /** The token expires within a week, or has expired. */
  token(why: string, isExpired: boolean): void {
    this.#logger[isExpired ? "error" : "warn"]({ event: "token" } satisfies Fields, why);
  }

  /** Only with `log_observed`, which the operator turns on: the one line that contains a recipient. */
  observed(protocol: string, { recipient, verdict, observed, generation }: Answer): void {
    const fields: Fields = {
      event: "observed",
      protocol,
      recipient,
      verdict,
      would: observed ?? null,
      generation,
    };
    this.#logger.info(fields, "accepted in observe mode");
  }

  hangup(): void {
    const text = "SIGHUP has no effect; restart the bridge to read its settings and token again";
    this.#logger.warn({ event: "hangup" } satisfies Fields, text);
  }

  malformed(protocol: string, why: string): void {
    this.#limited("warn", `bad question ${protocol} ${why}`, "malformed request", {
      event: "bad-question",
      protocol,
      why,
    });
  }

  rejected(protocol: string): void {
    this.#limited("warn", `turned away ${protocol}`, "connection rejected: max_connections reached", {
      event: "turned-away",
      protocol,
    });
  }

  fault(error: unknown): void {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const where = stack?.split("\n")[1]?.trim() ?? null;
    this.#limited("error", `fault ${name} ${where}`, "internal error", {
      event: "fault",
      name,
      message,
      where,
    });
  }

  #limited(level: "warn" | "error", key: string, text: string, fields: Fields): void {
    const now = this.#wall();
    const last = this.#written.get(key);
    if (last !== undefined && now - last.at < REPEAT_MS && now >= last.at) {
      last.omitted++;
      return;
    }
    this.#written.set(key, { at: now, omitted: 0 });
    this.#logger[level]({ ...fields, ...(last ? { unwritten: last.omitted } : {}) }, text);
  }
}

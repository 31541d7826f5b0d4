import { type Logger, pino } from "pino";
import type { Answer } from "../directory/index.ts";
import type { BreakerState } from "./breaker.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Fields of a log line: numbers and words of ours. No sender or client ever goes in, and no recipient but where the
 * operator asked for it: see {@link BridgeLog.observed} (law 6).
 */
type Fields = Readonly<Record<string, number | string | boolean | null | readonly string[]>>;

/** Lines about the same fault within this time are counted, not written, ms. */
const QUIET_MS = 10_000;

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one line of JSON with its newline. */
  write(line: string): void;
  /** Unix milliseconds. */
  wall(): number;
}

/** Structured logs, a line of JSON for each event. A method an event, so that nothing else can get in. */
export class BridgeLog {
  readonly #logger: Logger;
  readonly #wall: () => number;
  /** By event and cause: when it was last written, and how often it was not. */
  readonly #quiet = new Map<string, { at: number; left: number }>();

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
    else if (state === "open") this.#logger.warn(fields, "the edge fails: recipients are deferred");
    else this.#logger.debug(fields, "trying the edge");
  }

  /** @param why words of ours: a body or header of whoever answered is never passed on */
  noAnswer(fault: string, status: number | null, why: string | null): void {
    this.#limited("warn", `no answer ${fault} ${status}`, "no answer of the edge", {
      event: "no-answer",
      fault,
      status,
      why,
    });
  }

  /** One log of the Registry may have many domains: those that follow at once are counted. */
  startedOver(domain: string, incarnation: number): void {
    const text = "the Registry began a new log: what was remembered of the domain is forgotten";
    this.#limited("warn", `new log ${incarnation}`, text, { event: "new-log", domain, incarnation });
  }

  /** The token expires within a week, or has expired. */
  token(why: string, isOver: boolean): void {
    this.#logger[isOver ? "error" : "warn"]({ event: "token" } satisfies Fields, why);
  }

  /** Only with `log_observed`, which an operator turns on: the one line that names a recipient. */
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

  /** SIGHUP. */
  hungUp(): void {
    const text =
      "SIGHUP changes nothing: settings and token are read at the start; restart the bridge to read them";
    this.#logger.warn({ event: "hangup" } satisfies Fields, text);
  }

  badQuestion(protocol: string, why: string): void {
    this.#limited("warn", `bad question ${protocol} ${why}`, "a client sent what is no question", {
      event: "bad-question",
      protocol,
      why,
    });
  }

  turnedAway(protocol: string): void {
    this.#limited("warn", `turned away ${protocol}`, "too many connections: max_connections", {
      event: "turned-away",
      protocol,
    });
  }

  fault(error: unknown): void {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    const where = stack?.split("\n")[1]?.trim() ?? null;
    this.#limited("error", `fault ${name} ${where}`, "fault", { event: "fault", name, message, where });
  }

  #limited(level: "warn" | "error", key: string, text: string, fields: Fields): void {
    const now = this.#wall();
    const seen = this.#quiet.get(key);
    if (seen !== undefined && now - seen.at < QUIET_MS && now >= seen.at) {
      seen.left++;
      return;
    }
    this.#quiet.set(key, { at: now, left: 0 });
    this.#logger[level]({ ...fields, ...(seen ? { unwritten: seen.left } : {}) }, text);
  }
}

/**
 * What systemd, or another service manager, is told (sd_notify(3)): ready, reloading, stopping, and that the bridge is
 * alive. Node has no datagram sockets of unix, so `systemd-notify` sends each message; it is installed where systemd is.
 */
import { execFile } from "node:child_process";
import type { Platform } from "./platform.ts";

/** Longest time for one message, ms. */
const SEND_MS = 5_000;
/** Pause between two looks at the status without a watchdog, ms. */
const STATUS_MS = 30_000;

export interface ServiceManagerOptions {
  /** Whether this process takes over from another one, which the watchdog has known so far. */
  readonly isSuccessor: boolean;
  /** A message could not be sent. */
  failed(why: string): void;
}

export class ServiceManager {
  readonly #platform: Pick<Platform, "env" | "pid" | "monotonicMicroseconds">;
  readonly #options: ServiceManagerOptions;
  /** Messages arrive in the order in which they are sent. */
  #last: Promise<void> = Promise.resolve();
  #status = "";

  constructor(
    platform: Pick<Platform, "env" | "pid" | "monotonicMicroseconds">,
    options: ServiceManagerOptions,
  ) {
    this.#platform = platform;
    this.#options = options;
  }

  /** Whether there is a service manager. */
  get isPresent(): boolean {
    return (this.#platform.env.NOTIFY_SOCKET ?? "") !== "";
  }

  /** The bridge listens: at the start, in place of another process, or after a reload. Resolves when systemd knows. */
  ready(status: string): Promise<void> {
    return this.#options.isSuccessor ? this.continues(status) : this.#ready(status);
  }

  /** This process is the main one, whatever another one has said. */
  continues(status: string): Promise<void> {
    return this.#ready(status, `MAINPID=${this.#platform.pid}`);
  }

  #ready(status: string, ...more: readonly string[]): Promise<void> {
    this.#status = status;
    return this.#send("READY=1", `STATUS=${status}`, ...more);
  }

  /** The settings are read again; {@link ready} follows. */
  reloading(): Promise<void> {
    return this.#send("RELOADING=1", `MONOTONIC_USEC=${this.#platform.monotonicMicroseconds()}`);
  }

  stopping(): Promise<void> {
    return this.#send("STOPPING=1", "STATUS=stopping");
  }

  /** Says that the bridge is alive, and how it is. @returns the pause until this should be said again, ms */
  alive(status: string): number {
    const watchdog = this.#watchdogMs();
    const changed = status === this.#status ? [] : [`STATUS=${status}`];
    this.#status = status;
    const message = [...(watchdog === null ? [] : ["WATCHDOG=1"]), ...changed];
    if (message.length > 0) void this.#send(...message);
    // Twice in the time that systemd allows.
    return watchdog === null ? STATUS_MS : watchdog / 2;
  }

  /** How often systemd wants to hear of this process; null for never. */
  #watchdogMs(): number | null {
    const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = this.#platform.env;
    const isOurs = pid === undefined || pid === String(this.#platform.pid) || this.#options.isSuccessor;
    if (!this.isPresent || !isOurs || !/^[1-9]\d{0,15}$/.test(microseconds ?? "")) return null;
    return Number(microseconds) / 1000;
  }

  #send(...assignments: readonly string[]): Promise<void> {
    if (!this.isPresent) return Promise.resolve();
    this.#last = this.#last.then(() => this.#exec(assignments));
    return this.#last;
  }

  #exec(assignments: readonly string[]): Promise<void> {
    // A status of several lines would be several assignments.
    const args = assignments.map((each) => each.replaceAll(/\s+/g, " "));
    return new Promise((resolve) => {
      execFile("systemd-notify", args, { timeout: SEND_MS }, (error, _stdout, stderr) => {
        if (error !== null) this.#options.failed(stderr.trim() || error.message);
        resolve();
      });
    });
  }
}

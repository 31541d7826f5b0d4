import { withTimeout } from "../runtime/timeout.ts";
import { BridgeLink, LookupError, netstring } from "./bridge-link.ts";
import type { TablePorts } from "./ports.ts";
import type { Service } from "./protocol.ts";

/** The map that answers each service. */
const MAPS: Readonly<Record<Service, string>> = { mailaddr: "recipients", domain: "domains" };

/** Longest wait for an answer, ms. The bridge itself answers within 3 seconds, its default. */
export const TIMEOUT_MS = 3_500;
/** Longest wait while the bridge is known to hang, ms: all of smtpd's sessions wait with it. */
export const PROBE_MS = 200;
/** While the bridge hangs, how often a question may wait, on a new connection, ms. */
export const PROBE_EVERY_MS = 2_000;

const LATE = "the bridge does not answer";

/**
 * Asks the bridge over one connection that stays open, and opens another one if it is closed. After a timeout the
 * bridge counts as hung: questions fail at once, except for a short probe now and then. The connection stays open, and
 * the late answer, if it arrives, shows that the bridge works again.
 */
export class BridgeClient {
  readonly #ports: Pick<TablePorts, "clock" | "timers" | "dial" | "log">;
  #link: BridgeLink | null = null;
  #dialledAt = 0;
  #isHung = false;
  #isFailing = false;

  constructor(ports: Pick<TablePorts, "clock" | "timers" | "dial" | "log">) {
    this.#ports = ports;
  }

  /** @returns whether the bridge found it @throws LookupError if it does not say */
  async check(service: Service, key: string): Promise<boolean> {
    try {
      const reply = await this.#ask(netstring(`${MAPS[service]} ${key}`));
      this.#noteFailing(null);
      return read(reply);
    } catch (error) {
      // A deferral is an answer.
      if (!(error instanceof Deferred)) this.#noteFailing(error instanceof Error ? error.message : "unknown");
      throw error;
    }
  }

  close(): void {
    this.#link?.end("the table ends");
    this.#link = null;
  }

  #ask(question: string): Promise<string> {
    const { clock, timers } = this.#ports;
    const isProbe = this.#isHung;
    if (isProbe) {
      if (clock.now() - this.#dialledAt < PROBE_EVERY_MS) return Promise.reject(new LookupError(LATE));
      this.#link?.end("another connection is tried");
    }
    return withTimeout(
      timers,
      isProbe ? PROBE_MS : TIMEOUT_MS,
      () => this.#askOpen(question),
      () => {
        this.#isHung = true;
        return new LookupError(LATE);
      },
    );
  }

  /** Asks once more if a connection from before was closed: the bridge may have been restarted. */
  async #askOpen(question: string): Promise<string> {
    const before = this.#link?.isOpen === true ? this.#link : null;
    if (before === null) return this.#askOn(this.#open(), question);
    try {
      return await this.#askOn(before, question);
    } catch (error) {
      if (this.#isHung) throw error;
      return this.#askOn(this.#open(), question);
    }
  }

  async #askOn(link: BridgeLink, question: string): Promise<string> {
    try {
      return await link.ask(question);
    } finally {
      // Answered or closed: either way the next question does not wait for this one.
      if (link === this.#link) this.#isHung = false;
    }
  }

  #open(): BridgeLink {
    this.#dialledAt = this.#ports.clock.now();
    this.#link = new BridgeLink(this.#ports.dial);
    return this.#link;
  }

  /** Logs the first of several failures, and their end. */
  #noteFailing(why: string | null): void {
    if (this.#isFailing === (why !== null)) return;
    this.#isFailing = why !== null;
    this.#ports.log(
      why === null
        ? "the bridge answers again"
        : `no answer from the bridge: ${why}; recipients are deferred`,
    );
  }
}

/** The bridge asks to try again later. */
class Deferred extends LookupError {}

/** @throws Deferred for a deferral, LookupError for a word that no bridge sends */
function read(reply: string): boolean {
  if (/^OK \S/.test(reply)) return true;
  if (reply === "NOTFOUND ") return false;
  // The rest of the text may name the recipient.
  const [, code] = /^TEMP (4\d\d \d\.\d+\.\d+)(?: |$)/.exec(reply) ?? [];
  if (reply.startsWith("TEMP ")) throw new Deferred(`deferred${code === undefined ? "" : `: ${code}`}`);
  throw new LookupError("an answer that is not of the socketmap protocol");
}

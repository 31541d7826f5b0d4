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
/** What these waits may take together, ms, and how much of the time while the bridge hangs. */
const PROBES_MS = 1_000;
const PROBES_SHARE = 0.1;
/** While the bridge hangs, how old a connection becomes before another one is tried, ms. */
export const REDIAL_MS = 2_000;

const LATE = "the bridge does not answer";

/**
 * Asks the bridge over one connection that stays open, and opens another one if it is closed. After a timeout the
 * bridge counts as hung: some questions wait for a moment, on this connection or a new one, and all others fail at
 * once. Any late answer shows that the bridge works again.
 */
export class BridgeClient {
  readonly #ports: Pick<TablePorts, "clock" | "timers" | "dial" | "log">;
  #link: BridgeLink | null = null;
  #dialledAt = 0;
  #isHung = false;
  /** What is left of {@link PROBES_MS}, and since when it grows. */
  #probes = PROBES_MS;
  #probesAt = 0;
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
    return this.#isHung ? this.#probe(question) : this.#askWithin(TIMEOUT_MS, question);
  }

  async #probe(question: string): Promise<string> {
    const start = this.#ports.clock.now();
    this.#probes = Math.min(PROBES_MS, this.#probes + PROBES_SHARE * (start - this.#probesAt));
    this.#probesAt = start;
    if (this.#probes < PROBE_MS) throw new LookupError(LATE);
    if (start - this.#dialledAt >= REDIAL_MS) this.#link?.end("another connection is tried");
    try {
      return await this.#askWithin(PROBE_MS, question);
    } finally {
      this.#probes -= this.#ports.clock.now() - start;
    }
  }

  #askWithin(ms: number, question: string): Promise<string> {
    const late = (): Error => {
      this.#isHung = true;
      return new LookupError(LATE);
    };
    return withTimeout(this.#ports.timers, ms, () => this.#askOpen(question), late);
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

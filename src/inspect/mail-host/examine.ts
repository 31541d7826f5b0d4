import { statSync } from "node:fs";
import { ClientError } from "../../client/index.ts";
import { NotHere, Problem, some } from "../problem.ts";
import { runSteps, type Step, type StepResult } from "../steps.ts";
import { isTrialDomain } from "../trial.ts";
import { examineExim, examineSendmail } from "./other-servers.ts";
import type { ListenerSetting, MailHostPorts } from "./ports.ts";
import { examineLookups, examineSockets, examineUses, type Postfix, readPostfix } from "./postfix.ts";
import { examineReplica } from "./replica.ts";

const DAY = 86_400_000;
/** How far the clock of the host may be off, ms. */
const CLOCK_MS = 30_000;
/** A bridge gives up on the edge after 3 s by default. */
const SLOW_MS = 1_000;

/**
 * Examines the host of a bridge, step by step: its token, clock and edge, its listeners, and what the mail server gets
 * from it. Nothing is changed. Steps that depend on one that failed are skipped.
 */
export async function* examineMailHost(ports: MailHostPorts): AsyncGenerator<StepResult> {
  const host = new MailHost(ports);
  yield* runSteps([
    ["token", null, () => host.token()],
    ["edge", null, () => host.edge()],
    ["clock", "edge", () => host.clock()],
    ["lists", "edge", () => host.lists()],
    ...ports.listeners.map((listener): Step => [listener.name, "lists", () => host.listener(listener)]),
    ...replicaStep(ports),
    ["log", "edge", () => host.log()],
    ["mail-server", null, () => host.mailServer()],
    ["sockets", "mail-server", () => host.sockets()],
    ["lookups", "mail-server", () => host.lookups()],
  ]);
}

function replicaStep(ports: MailHostPorts): Step[] {
  const { replica } = ports;
  return replica === null ? [] : [["replica", null, () => examineReplica(replica, ports)]];
}

/** What to send to each listener, and what a bridge answers if it accepts the postmaster. */
const QUESTIONS: Readonly<
  Record<string, readonly [question: (recipient: string) => string, accepted: RegExp]>
> = {
  socketmap: [(recipient) => netstring(`recipients ${recipient}`), /^\d+:OK /],
  policy: [
    (recipient) => `request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=${recipient}\n\n`,
    /^action=DUNNO\n/,
  ],
  tcp: [(recipient) => `get ${recipient}\n`, /^200 /],
  line: [(recipient) => `${recipient}\n`, /^250 /],
  hooks: [
    (recipient) => {
      const body = JSON.stringify({
        context: { stage: "rcpt" },
        envelope: { to: [{ address: recipient }] },
      });
      return `POST /v1/hooks/mta HTTP/1.0\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    },
    /^HTTP\/1\.\d 200 [\s\S]*\{"action":"accept"\}$/,
  ],
  metrics: [() => "GET /readyz HTTP/1.0\r\n\r\n", /^HTTP\/1\.\d 200 /],
};

/** The line of the metrics that counts the domains of which the edge knows only an older state. */
const OLDER_DOMAINS = /^rollcall_bridge_edge_older_domains (\d+)$/m;

const netstring = (text: string): string => `${text.length}:${text},`;

/** The first line of a reply, without the netstring around it. */
function shownReply(name: string, reply: string): string {
  const [, text = reply] = (name === "socketmap" ? /^\d+:([\s\S]*),$/.exec(reply) : null) ?? [];
  return text.trim().split(/\r?\n/)[0] || "nothing";
}

class MailHost {
  readonly #ports: MailHostPorts;
  #domain: string | null = null;
  #postfix: Postfix | null = null;

  constructor(ports: MailHostPorts) {
    this.#ports = ports;
  }

  token(): string {
    const { token, clock } = this.#ports;
    const { expires, file } = token;
    const create = this.#anotherToken();
    if (typeof expires === "number" && expires <= clock.now())
      throw new Problem("the token has expired", create);
    const mode = file === null ? undefined : statSync(file, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && (mode & 0o007) !== 0) {
      throw new Problem(`every user can read ${file}`, `chmod o= ${file}`);
    }
    if (typeof expires === "number" && expires - clock.now() < 7 * DAY) {
      throw new Problem(`the token expires on ${new Date(expires).toISOString()}`, create);
    }
    const until =
      typeof expires === "number" ? `valid until ${new Date(expires).toISOString()}` : "does not expire";
    return file === null ? until : `${until} (${file})`;
  }

  /** What to do about a token that is of no use. */
  #anotherToken(): string {
    const { file } = this.#ports.token;
    return (
      "create another of the same role with `rollcall token create`, put it into " +
      `${file ?? "the bridge's token file"}, and restart the bridge`
    );
  }

  async edge(): Promise<string> {
    const { client, clock } = this.#ports;
    const started = clock.now();
    const { version, status, faults } = await client.health();
    const took = clock.now() - started;
    if (status !== "ok")
      throw new Problem(faults.join("; "), "run `rollcall doctor --url URL` with the admin token");
    if (took > SLOW_MS) {
      throw new Problem(
        `answered after ${took} ms`,
        "check the network of this host, its resolver and its proxy",
      );
    }
    return `release ${version}, in ${took} ms`;
  }

  async clock(): Promise<string> {
    const { edgeTime, clock } = this.#ports;
    const before = clock.now();
    const stated = await edgeTime();
    if (stated === null) return "the edge does not state the time";
    // The header has whole seconds.
    const off = before - stated > 0 ? before - stated : Math.max(0, stated - clock.now());
    if (off <= CLOCK_MS) return "agrees with the edge";
    throw new Problem(
      `differs from the edge by ${Math.round(off / 1000)} s`,
      "synchronise it, such as with `timedatectl set-ntp true`: tokens expire by it",
    );
  }

  async lists(): Promise<string> {
    const { domains } = await this.#ports.client.domainPage(null).catch((error: unknown) => {
      const isRefused = error instanceof ClientError && ["unauthorized", "forbidden"].includes(error.kind);
      throw isRefused ? new Problem(error.message, this.#anotherToken(), { cause: error }) : error;
    });
    const served = domains.filter(
      ({ domain, deleted_until: deleted }) => deleted === null && !isTrialDomain(domain),
    );
    if (served.length === 0) {
      throw new Problem(
        "the token covers no list",
        "publish one, or create a token for the domains of this host",
      );
    }
    this.#domain = served[0]?.domain ?? null;
    return `the token covers ${some(served.map(({ domain }) => domain))}`;
  }

  async listener({ name, address, shown }: ListenerSetting): Promise<string> {
    const [question, accepted] = QUESTIONS[name] as (typeof QUESTIONS)[string];
    let reply: string;
    try {
      reply = await this.#ports.ask(address, question(`postmaster@${this.#domain}`));
    } catch (error) {
      throw new Problem(
        `${shown}: ${(error as Error).message}`,
        "start the bridge (`systemctl start rollcall-bridge`), and see its log: journalctl -u rollcall-bridge",
      );
    }
    const line = shownReply(name, reply);
    if (accepted.test(reply)) return `${shown} answers ${line}`;
    throw new Problem(
      `${shown} answers ${line}`,
      "see the steps above, and the log of the bridge: journalctl -u rollcall-bridge",
    );
  }

  /** Whether the Registry knows what this host has heard. Otherwise the bridge refuses nothing, for ever. */
  async log(): Promise<string> {
    const { replica, olderLog, listeners, ask } = this.#ports;
    const older = replica === null ? null : await olderLog();
    if (older !== null) throw new Problem(`the answer of the Registry is unusable: ${older.why}`, older.fix);
    const metrics = listeners.find(({ name }) => name === "metrics");
    const page = metrics === undefined ? "" : await ask(metrics.address, "GET /metrics HTTP/1.0\r\n\r\n");
    const [, domains] = OLDER_DOMAINS.exec(page) ?? [];
    if (domains !== undefined && Number(domains) > 0) {
      throw new Problem(
        `the edge knows only an older state of ${domains} of the domains than this bridge, which refuses nothing there`,
        "if the Registry was restored to an earlier time, run `rollcall registry restored` (docs/restoring.md); if it is another one, restart the bridge",
      );
    }
    if (replica !== null || domains !== undefined) return "as new as what this host knows";
    return "without a replica and metrics, only the bridge's log can tell (`edge-older`)";
  }

  async mailServer(): Promise<string> {
    const { listeners } = this.#ports;
    this.#postfix = await readPostfix(this.#ports);
    const found: string[] = [];
    if (this.#postfix !== null) found.push(`Postfix: ${examineUses(this.#postfix, listeners)}`);
    const exim = await examineExim(this.#ports, this.#domain);
    if (exim !== null) found.push(`Exim: ${exim}`);
    const sendmail = await examineSendmail(this.#ports, this.#domain);
    if (sendmail !== null) found.push(`Sendmail: ${sendmail}`);
    if (found.length > 0) return found.join("; ");
    throw new NotHere(
      "no Postfix, Exim or Sendmail on this host; how to ask for another server is in docs/mta/README.md",
    );
  }

  sockets(): string {
    return this.#postfix === null ? "examined for Postfix only" : examineSockets(this.#postfix);
  }

  lookups(): Promise<string> | string {
    if (this.#postfix === null) return "examined for Postfix only";
    return examineLookups(this.#postfix, this.#ports, this.#domain);
  }
}

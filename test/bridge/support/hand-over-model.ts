import type { Resolution } from "../../../src/bridge/answers/resolution.ts";
import { Connections } from "../../../src/bridge/listeners/connections.ts";
import type { HandedOver } from "../../../src/bridge/listeners/giving.ts";
import { PROTOCOLS } from "../../../src/bridge/protocols/index.ts";
import { handedOverOf, messageOf } from "../../../src/bridge/takeover.ts";
import { answerOf } from "./answers.ts";
import { netstring } from "./sockets.ts";
import { VirtualTime } from "./virtual-time.ts";
import { policyQuestion } from "./ways.ts";
import { Wire, type WireSocket } from "./wire.ts";

const PROCESSES = 3;

export type Spoken = "socketmap" | "policy" | "tcp";

const QUESTIONS: Readonly<Record<Spoken, (recipient: string) => string>> = {
  socketmap: (recipient) => netstring(`access ${recipient}`),
  policy: policyQuestion,
  tcp: (recipient) => `get ${recipient}\n`,
};

const resolutionOf = (recipient: string): Resolution => ({
  answer: answerOf(recipient, "unknown"),
  source: "edge",
});

/** What a client of the model can see, and the processes do. */
export type Step =
  | { readonly do: "send"; readonly octets: number }
  | { readonly do: "deliver"; readonly octets: number; readonly pick: number }
  | { readonly do: "answer"; readonly pick: number; readonly count: number }
  | { readonly do: "connect"; readonly questions: number; readonly isNew: boolean }
  | { readonly do: "hand-over" }
  | { readonly do: "call-off" }
  | { readonly do: "message" }
  | { readonly do: "take"; readonly takes: boolean }
  | { readonly do: "turn" }
  | { readonly do: "end" };

interface Pending {
  readonly recipient: string;
  answer(): void;
}

/** A client, and what it asks. */
export class ModelClient {
  readonly wire = new Wire();
  readonly recipients: readonly string[];
  readonly #protocol: Spoken;
  /** What it has not sent yet. */
  #rest: string;
  /** The process that has the connection. */
  owner: number;

  constructor(protocol: Spoken, owner: number, recipients: readonly string[]) {
    this.#protocol = protocol;
    this.owner = owner;
    this.recipients = recipients;
    this.#rest = recipients.map(QUESTIONS[protocol]).join("");
  }

  get protocol(): (typeof PROTOCOLS)[Spoken] {
    return PROTOCOLS[this.#protocol];
  }

  get hasSentAll(): boolean {
    return this.#rest === "";
  }

  send(octets = this.#rest.length): void {
    this.wire.send(this.#rest.slice(0, octets));
    this.#rest = this.#rest.slice(octets);
  }

  /** What it is to get: one reply to each of its first questions, in order. */
  replies(count = this.recipients.length): string {
    return repliesTo(this.#protocol, this.recipients.slice(0, count));
  }
}

/** Processes that hand connections on, and the clients at their other ends. */
export class Model {
  /** Questions that wait for the edge, of all processes. */
  readonly pending: Pending[] = [];
  readonly asked: string[] = [];
  readonly lost: string[] = [];
  /** Of each process. */
  readonly times: VirtualTime[] = [];
  readonly clients: ModelClient[] = [];
  /** What one process has sent to the next, and that has not read. */
  readonly #messages: (() => void)[] = [];
  readonly #processes: Connections[] = [];
  readonly #isCached: boolean;
  /** The last process that was started. */
  #current = 0;
  /** The last process ends. */
  #end: () => void = () => undefined;
  readonly #handOvers: Promise<boolean>[] = [];

  constructor(isCached = false) {
    this.#isCached = isCached;
    for (let i = 0; i < PROCESSES; i++) this.#processes.push(this.#process());
  }

  #process(): Connections {
    const time = new VirtualTime();
    this.times.push(time);
    return new Connections({
      clock: time.clock,
      timers: time.timers,
      context: {
        clock: time.clock,
        resolve: (recipient) => {
          this.asked.push(recipient);
          if (this.#isCached && recipient.includes("3@")) return resolutionOf(recipient);
          return new Promise((resolve) =>
            this.pending.push({ recipient, answer: () => resolve(resolutionOf(recipient)) }),
          );
        },
        answered: () => undefined,
        malformed: (_, why) => this.lost.push(why),
        fault: (error) => this.lost.push(String(error)),
        turn: due,
      },
      maxConnections: () => 1000,
      isAllowed: () => true,
      rejected: () => this.lost.push("rejected"),
      foreign: () => this.lost.push("foreign"),
    });
  }

  /** One process hands over to the next, which may still get connections from the one before. */
  handOver(): Promise<boolean> | undefined {
    const from = this.#processes[this.#current];
    const to = this.#processes[this.#current + 1];
    if (from === undefined || to === undefined) return undefined;
    this.#current++;
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    const over = from.handOver((connection) => this.#give(connection, to), ended);
    this.#handOvers.push(over);
    return over;
  }

  /** The first process closes its listeners. */
  leave(): Promise<number> {
    return (this.#processes[0] as Connections).leave();
  }

  /** The first process was told to stop. */
  stop(): Promise<void> {
    return (this.#processes[0] as Connections).stop();
  }

  /** Connections that are sent and not taken. */
  get onTheirWay(): number {
    return this.#messages.length;
  }

  /** Open connections of each process. */
  get sizes(): number[] {
    return this.#processes.map(({ size }) => size);
  }

  /** The new process ends before it has any connection. */
  callOff(): void {
    if (this.#current === 0 || this.#messages.length > 0) return;
    if (this.clients.some(({ owner }) => owner !== this.#current - 1)) return;
    this.#current--;
    this.#end();
  }

  /** The new process ends with a connection that it has not confirmed. @returns whether the old one is rid of the rest */
  die(): Promise<boolean> {
    this.#end();
    this.message();
    return this.#handOvers[0] as Promise<boolean>;
  }

  /** A client connects. @param isNew to the last process that was started, and not to the one that it replaces */
  connect(protocol: Spoken, recipients: readonly string[] = [], isNew = this.#current === 0): ModelClient {
    const process = isNew ? this.#current : Math.max(0, this.#current - 1);
    const client = new ModelClient(protocol, process, recipients);
    this.clients.push(client);
    const accepting = this.#processes[process] as Connections;
    accepting.accept(client.protocol, client.wire.open().asSocket, null as never);
    return client;
  }

  #give(connection: HandedOver, to: Connections): Promise<void> {
    const socket = connection.socket as unknown as WireSocket;
    const { wire } = socket;
    return new Promise((resolve) => {
      this.#messages.push(() => {
        socket.detach();
        const message: unknown = JSON.parse(JSON.stringify(messageOf(connection)));
        const handedOver = handedOverOf(message, wire.open().asSocket);
        if (handedOver !== null) to.continue(handedOver);
        for (const client of this.clients) if (client.wire === wire) client.owner++;
        resolve();
      });
    });
  }

  message(): void {
    this.#messages.shift()?.();
  }

  answer(pick: number, count: number): void {
    for (let i = 0; i < count && this.pending.length > 0; i++) {
      this.pending.splice(pick % this.pending.length, 1)[0]?.answer();
    }
  }

  /** Everything that can happen does. */
  async finish(): Promise<void> {
    for (const { wire } of this.clients) wire.takes = true;
    const seen = (): string =>
      `${this.clients.map(({ wire }) => `${wire.received.length} ${wire.unread}`).join()} ${this.asked.length}`;
    for (let quiet = 0; quiet < 4; quiet++) {
      const before = seen();
      this.message();
      for (const client of this.clients) {
        client.send();
        client.wire.take();
        client.wire.deliver(100_000);
      }
      this.answer(0, this.pending.length);
      await due();
      if (seen() !== before || this.#messages.length > 0) quiet = 0;
    }
    await Promise.all(this.#handOvers);
  }

  /** What clients do is done by one after the other. */
  async step(step: Step): Promise<void> {
    // What the system reports, it reports when nothing else is due.
    if (step.do !== "answer" && step.do !== "turn") await due();
    const [client] = this.clients as [ModelClient];
    switch (step.do) {
      case "send":
        return client.send(step.octets);
      case "deliver":
        for (const { wire } of this.clients) wire.deliver(step.octets, step.pick);
        return;
      case "answer":
        return this.answer(step.pick, step.count);
      case "connect": {
        const name = `late${this.clients.length}`;
        const recipients = Array.from({ length: step.questions }, (_, i) => `${name}-${i}@example.com`);
        this.connect("tcp", recipients, step.isNew).send();
        return;
      }
      case "hand-over":
        void this.handOver();
        return;
      case "call-off":
        return this.callOff();
      case "message":
        return this.message();
      case "take":
        client.wire.takes = step.takes;
        if (step.takes) client.wire.take();
        return;
      case "turn":
        return due();
      case "end":
        if (client.hasSentAll) client.wire.end();
    }
  }
}

/** Lets what is due run. */
export async function due(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => process.nextTick(resolve));
}

function repliesTo(protocol: Spoken, recipients: readonly string[]): string {
  return recipients
    .map((recipient) => {
      const question = { socketmap: { map: "access", key: recipient }, tcp: `get ${recipient}` };
      const asked =
        protocol === "policy"
          ? new Map([
              ["request", "smtpd_access_policy"],
              ["recipient", recipient],
            ])
          : question[protocol];
      const exchange = PROTOCOLS[protocol].exchange(asked);
      return exchange.kind === "ask" ? exchange.reply(resolutionOf(recipient).answer) : exchange.reply;
    })
    .join("");
}

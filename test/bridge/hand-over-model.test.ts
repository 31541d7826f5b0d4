import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import { Connections } from "../../src/bridge/listeners/connections.ts";
import type { HandedOver } from "../../src/bridge/listeners/giving.ts";
import { PROTOCOLS } from "../../src/bridge/protocols/index.ts";
import { handedOverOf, messageOf } from "../../src/bridge/takeover.ts";
import { answerOf } from "./support/answers.ts";
import { netstring } from "./support/sockets.ts";
import { VirtualTime } from "./support/virtual-time.ts";
import { policyQuestion } from "./support/ways.ts";
import { Wire, type WireSocket } from "./support/wire.ts";

/*
 * A client that pipelines, and processes that hand its connection over to each other, at any moment and in any order of
 * answers: each question is asked once and answered once, in order, about its own address.
 */

/** Enough for a second; ROLLCALL_SEQUENCES tries more. */
const SEQUENCES = Number(process.env.ROLLCALL_SEQUENCES ?? 400);
const PROCESSES = 3;

type Spoken = "socketmap" | "policy" | "tcp";

const QUESTIONS: Readonly<Record<Spoken, (recipient: string) => string>> = {
  socketmap: (recipient) => netstring(`access ${recipient}`),
  policy: policyQuestion,
  tcp: (recipient) => `get ${recipient}\n`,
};

const recipientOf = (i: number): string => `nobody${i}@example.com`;
const resolutionOf = (recipient: string): Resolution => ({
  answer: answerOf(recipient, "unknown"),
  source: "edge",
});

type Step =
  | { readonly do: "send"; readonly octets: number }
  | { readonly do: "deliver"; readonly octets: number; readonly pick: number }
  | { readonly do: "answer"; readonly pick: number; readonly count: number }
  | { readonly do: "hand-over" }
  | { readonly do: "call-off" }
  | { readonly do: "message" }
  | { readonly do: "take"; readonly takes: boolean }
  | { readonly do: "turn" }
  | { readonly do: "end" };

const octets = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(100_000));
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("send" as const), octets }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("deliver" as const), octets, pick: fc.nat(3) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("answer" as const),
        pick: fc.nat(40),
        count: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 9 })),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("hand-over" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("call-off" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("message" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("take" as const), takes: fc.boolean() }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const) }) },
  ),
  { minLength: 5, maxLength: 60, size: "max" },
);

interface Pending {
  readonly recipient: string;
  answer(): void;
}

/** Processes that hand one connection on, and the client at its other end. */
class Model {
  readonly wire = new Wire();
  /** Questions that wait for the edge, of all processes. */
  readonly pending: Pending[] = [];
  readonly asked: string[] = [];
  readonly lost: string[] = [];
  /** What one process has sent to the next, and that has not read. */
  readonly #messages: (() => void)[] = [];
  readonly #processes: Connections[] = [];
  readonly #isCached: boolean;
  #socket: WireSocket;
  /** The last process that was started, and the one that has the connection. */
  #current = 0;
  #owner = 0;
  /** The last process ends. */
  #end: () => void = () => undefined;
  readonly #handOvers: Promise<boolean>[] = [];

  constructor(protocol: Spoken, isCached: boolean) {
    this.#isCached = isCached;
    for (let i = 0; i < PROCESSES; i++) this.#processes.push(this.#process());
    this.#socket = this.wire.open();
    (this.#processes[0] as Connections).accept(PROTOCOLS[protocol], this.#socket.asSocket, null as never);
  }

  #process(): Connections {
    const time = new VirtualTime();
    return new Connections({
      ...time,
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
      maxConnections: () => 10,
      isAllowed: () => true,
      rejected: () => this.lost.push("rejected"),
      foreign: () => this.lost.push("foreign"),
    });
  }

  /** One process hands over to the next, which may still get it from the one before. */
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

  /** Connections that are sent and not taken. */
  get onTheirWay(): number {
    return this.#messages.length;
  }

  /** Open connections of each process. */
  get sizes(): number[] {
    return this.#processes.map(({ size }) => size);
  }

  /** The new process ends before it is sent the connection. */
  callOff(): void {
    if (this.#owner !== this.#current - 1 || this.#messages.length > 0) return;
    this.#current = this.#owner;
    this.#end();
  }

  /** The new process ends with a connection that it has not confirmed. @returns whether the old one is rid of the rest */
  die(): Promise<boolean> {
    this.#end();
    this.message();
    return this.#handOvers[0] as Promise<boolean>;
  }

  /** One more client of the first process. */
  connect(): Wire {
    const wire = new Wire();
    (this.#processes[0] as Connections).accept(PROTOCOLS.tcp, wire.open().asSocket, null as never);
    return wire;
  }

  #give(connection: HandedOver, to: Connections): Promise<void> {
    return new Promise((resolve) => {
      this.#messages.push(() => {
        this.#socket.detach();
        this.#socket = this.wire.open();
        const message: unknown = JSON.parse(JSON.stringify(messageOf(connection)));
        const handedOver = handedOverOf(message, this.#socket.asSocket);
        if (handedOver !== null) to.continue(handedOver);
        this.#owner++;
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
    this.wire.takes = true;
    for (let quiet = 0; quiet < 4; quiet++) {
      const before = `${this.wire.received.length} ${this.wire.unread} ${this.asked.length}`;
      this.message();
      this.wire.take();
      this.wire.deliver(100_000);
      this.answer(0, this.pending.length);
      await due();
      const after = `${this.wire.received.length} ${this.wire.unread} ${this.asked.length}`;
      if (after !== before || this.#messages.length > 0) quiet = 0;
    }
    await Promise.all(this.#handOvers);
  }

  async step(step: Step, rest: { text: string }): Promise<void> {
    // What the system reports, it reports when nothing else is due.
    if (step.do !== "answer" && step.do !== "turn") await due();
    switch (step.do) {
      case "send":
        this.wire.send(rest.text.slice(0, step.octets));
        rest.text = rest.text.slice(step.octets);
        return;
      case "deliver":
        return this.wire.deliver(step.octets, step.pick);
      case "answer":
        return this.answer(step.pick, step.count);
      case "hand-over":
        void this.handOver();
        return;
      case "call-off":
        return this.callOff();
      case "message":
        return this.message();
      case "take":
        this.wire.takes = step.takes;
        if (step.takes) this.wire.take();
        return;
      case "turn":
        return due();
      case "end":
        if (rest.text === "") this.wire.end();
    }
  }
}

/** Lets what is due run. */
async function due(): Promise<void> {
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

describe("a connection that processes hand on", () => {
  it(`answers each question once, in order, about its own address (${SEQUENCES} sequences)`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Spoken>("socketmap", "policy", "tcp"),
        fc.integer({ min: 1, max: 80 }),
        fc.boolean(),
        steps,
        async (protocol, count, isCached, sequence) => {
          const model = new Model(protocol, isCached);
          const recipients = Array.from({ length: count }, (_, i) => recipientOf(i));
          const rest = { text: recipients.map(QUESTIONS[protocol]).join("") };
          for (const step of sequence) await model.step(step, rest);
          model.wire.send(rest.text);
          await model.finish();
          expect(model.lost).toEqual([]);
          expect(model.asked).toEqual(recipients);
          expect(model.wire.received).toBe(repliesTo(protocol, recipients));
          expect(model.wire.unread).toBe(0);
        },
      ),
      { numRuns: SEQUENCES },
    );
  });

  it("stays where it is if the other process ends with the only one that it was given", async () => {
    const model = new Model("tcp", false);
    void model.handOver();
    await due();
    expect(await model.die()).toBe(false);
    // New clients are this process's again.
    const late = model.connect();
    late.send("get nobody1@example.com\n");
    late.deliver(100);
    await due();
    expect(model.asked).toEqual(["nobody1@example.com"]);
  });

  it("is handed on alone, and all are waited for: those too that connect meanwhile", async () => {
    const model = new Model("tcp", false);
    model.connect();
    let isOver = false;
    void model.handOver()?.then(() => {
      isOver = true;
    });
    for (let given = 1; given <= 3; given++) {
      await due();
      expect([model.onTheirWay, isOver]).toEqual([1, false]);
      if (given === 1) model.connect();
      model.message();
    }
    await due();
    expect([model.onTheirWay, isOver]).toEqual([0, true]);
    expect(model.sizes).toEqual([0, 3, 0]);
  });

  it("is handed on too if the client connects meanwhile", async () => {
    const model = new Model("tcp", false);
    model.wire.send("get nobody0@example.com\n");
    model.wire.deliver(100);
    void model.handOver();
    const late = model.connect();
    await due();
    late.send("get nobody1@example.com\n");
    late.deliver(100);
    expect(model.asked).toEqual(["nobody0@example.com"]);
  });
});

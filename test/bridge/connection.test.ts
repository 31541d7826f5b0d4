import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import {
  type ClientSocket,
  Connection,
  type ConnectionContext,
  MAX_QUEUE,
  TURN,
} from "../../src/bridge/listeners/connection.ts";
import { PROTOCOLS, type ProtocolName } from "../../src/bridge/protocols/index.ts";
import { answerOf } from "./support/answers.ts";
import { settle, VirtualTime } from "./support/virtual-time.ts";

/** A client's socket as the bridge sees it, in the test's hand. */
class FakeSocket extends EventEmitter {
  written = "";
  isPaused = false;
  isEnded = false;
  destroyed = false;
  /** Whether the client reads what it gets. */
  isRead = true;
  get writable(): boolean {
    return !this.isEnded && !this.destroyed;
  }
  get writableFinished(): boolean {
    return this.isEnded;
  }
  /** What the system has not taken yet. */
  writableLength = 0;
  readonly _handle = { readStop: () => undefined };
  read(): Buffer | null {
    return null;
  }
  write(text: string): boolean {
    if (!this.writable) throw new Error("written after the end");
    this.written += text;
    return this.isRead;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  say(text: string): void {
    this.emit("data", Buffer.from(text));
  }
}

interface Pending {
  readonly recipient: string;
  answer(): void;
}

/** One connection whose questions wait until the test answers them. */
function connect(protocol: ProtocolName, { isCached = false, until = Number.POSITIVE_INFINITY } = {}) {
  const time = new VirtualTime();
  const socket = new FakeSocket();
  const pending: Pending[] = [];
  const malformed: string[] = [];
  let answered = 0;
  const context: ConnectionContext = {
    clock: time.clock,
    resolve(recipient) {
      const resolution: Resolution = recipient.startsWith("nobody")
        ? { answer: answerOf(recipient, "unknown"), source: "edge", until }
        : { answer: answerOf(recipient, "deliverable"), source: "edge" };
      if (isCached) return resolution;
      return new Promise((resolve) => pending.push({ recipient, answer: () => resolve(resolution) }));
    },
    answered: () => {
      answered++;
    },
    malformed: (_, why) => malformed.push(why),
    fault: (error) => {
      throw error;
    },
    turn: () => time.timers.sleep(1),
  };
  const connection = new Connection(context, PROTOCOLS[protocol], socket as unknown as ClientSocket);
  return { time, socket, pending, malformed, connection, answered: () => answered };
}

const netstring = (text: string): string => `${text.length}:${text},`;
const ask = (i: number): string => netstring(`access user${i}@example.com`);
const askMany = (count: number): string => Array.from({ length: count }, (_, i) => ask(i)).join("");

describe("a connection", () => {
  it("replies in the order of the questions, whichever is answered first", async () => {
    const { socket, pending } = connect("line");
    socket.say("alice@example.com\n");
    expect(pending).toHaveLength(1);

    const two = connect("socketmap");
    two.socket.say(netstring("recipients alice@example.com") + netstring("access bob@example.com"));
    two.pending[1]?.answer();
    await settle();
    expect(two.socket.written).toBe("");
    two.pending[0]?.answer();
    await settle();
    expect(two.socket.written).toBe("14:OK deliverable,8:OK DUNNO,");
  });

  it("defers a refusal that expired behind a slower answer, and leaves an accept unchanged", async () => {
    const { time, socket, pending } = connect("socketmap", { until: 1_000 });
    const [slow, nobody] = [netstring("access slow@example.com"), netstring("access nobody@example.com")];
    socket.say(slow + nobody + slow);
    pending[1]?.answer();
    pending[2]?.answer();
    await time.advance(999);
    pending[0]?.answer();
    await settle();
    expect(socket.written).toMatch(/^8:OK DUNNO,\d+:OK 550 5\.1\.1 [^,]+,8:OK DUNNO,$/);

    socket.written = "";
    socket.say(slow + nobody + slow);
    pending[4]?.answer();
    pending[5]?.answer();
    await time.advance(1);
    pending[3]?.answer();
    await settle();
    expect(socket.written).toMatch(/^8:OK DUNNO,\d+:OK 451 4\.3\.0 [^:]+: [^:]+,8:OK DUNNO,$/);
  });

  it("has a bounded number of questions under way, and stops reading until there is room", async () => {
    const { socket, pending, answered } = connect("socketmap");
    socket.say(askMany(3 * MAX_QUEUE));
    expect(pending).toHaveLength(MAX_QUEUE);
    expect(socket.isPaused).toBe(true);
    for (let i = 0; i < 3 * MAX_QUEUE; i++) {
      expect(pending.length).toBeLessThanOrEqual(i + MAX_QUEUE);
      pending[i]?.answer();
      await settle();
    }
    expect(answered()).toBe(3 * MAX_QUEUE);
    expect(socket.written).toBe("8:OK DUNNO,".repeat(3 * MAX_QUEUE));
    expect(socket.isPaused).toBe(false);
  });

  it("answers any number of cached questions at once, but lets other connections take turns", async () => {
    const { time, socket } = connect("socketmap", { isCached: true });
    socket.say(askMany(1_000));
    for (let count = TURN; count < 1_000; count += TURN) {
      expect(socket.written).toBe("8:OK DUNNO,".repeat(count));
      expect(socket.isPaused).toBe(true);
      await time.advance(1);
    }
    expect(socket.written).toBe("8:OK DUNNO,".repeat(1_000));
    expect(socket.isPaused).toBe(false);
    expect(time.pending).toBe(0);
  });

  it("has one turn at a time, whatever else happens to it", async () => {
    const { time, socket } = connect("socketmap", { isCached: true });
    socket.say(askMany(1_000));
    for (let i = 0; i < 9; i++) socket.emit("drain");
    expect(time.pending).toBe(1);
    expect(socket.written).toBe("8:OK DUNNO,".repeat(TURN));
  });

  it("reads nothing from a client that does not read its replies, until it does", async () => {
    const { time, socket, answered } = connect("socketmap", { isCached: true });
    socket.isRead = false;
    socket.say(askMany(1_000));
    expect(answered()).toBe(MAX_QUEUE);
    expect(socket.isPaused).toBe(true);
    socket.isRead = true;
    socket.emit("drain");
    await time.advance(1_000);
    expect(answered()).toBe(1_000);
    expect(socket.isPaused).toBe(false);
  });

  it("answers what was asked after the client has closed its side, then closes", async () => {
    const { socket, pending } = connect("policy");
    const question = "request=smtpd_access_policy\nrecipient=alice@example.com\n\n";
    socket.say(question + question);
    socket.emit("end");
    expect(socket.isEnded).toBe(false);
    for (const { answer } of pending) answer();
    await settle();
    expect(socket.written).toBe("action=DUNNO\n\naction=DUNNO\n\n");
    expect(socket.isEnded).toBe(true);
  });

  it("ends at once if the client ends and has asked nothing", () => {
    const { socket, malformed } = connect("socketmap");
    socket.emit("end");
    expect(socket).toMatchObject({ isEnded: true, written: "" });
    expect(malformed).toEqual([]);
  });

  it.each<[ProtocolName, string, string]>([
    ["socketmap", "28:recipients al", "45:TEMP 451 4.3.0 the question did not end,"],
    ["policy", "request=smtpd_access_policy\n", "action=451 4.3.0 the question did not end\n\n"],
    ["line", "alice@example.co", "451 4.3.0 the question did not end\n"],
    ["tcp", "get alice@example.co", "400 451%204.3.0%20the%20question%20did%20not%20end\n"],
  ])("defers half a question of %s, and never guesses the rest", (protocol, half, reply) => {
    const { socket, pending } = connect(protocol);
    socket.say(half);
    socket.emit("end");
    expect(pending).toEqual([]);
    expect(socket.isEnded).toBe(true);
    expect(socket.written.replace(/^\d+/, "")).toBe(reply.replace(/^\d+/, ""));
  });

  it.each<[ProtocolName, string]>([
    ["socketmap", "recipients alice@example.com\n"],
    ["policy", "alice@example.com\n"],
    ["line", "x".repeat(20_000)],
    ["tcp", "x".repeat(20_000)],
  ])("defers malformed input in %s once, and discards the rest", (protocol, rubbish) => {
    const { socket, malformed } = connect(protocol, { isCached: true });
    socket.say(rubbish);
    socket.say(rubbish);
    expect(malformed).toHaveLength(1);
    expect(socket.written).toMatch(/^(?:\d+:TEMP |action=|400 )?451(?: |%20)4\.3\.0(?: |%20).*[,\n]+$/);
    expect(socket.isEnded).toBe(true);
    expect(socket.isPaused).toBe(false);
  });

  it("takes one line, answers it and ends, as Exim requires", async () => {
    const { socket, pending } = connect("line");
    socket.say("alice@example.com\nbob@example.com\n");
    socket.say("carol@example.com\n");
    expect(pending.map(({ recipient }) => recipient)).toEqual(["alice@example.com"]);
    expect(socket.isEnded).toBe(false);
    pending[0]?.answer();
    await settle();
    expect(socket.written).toMatch(/^250 2\.1\.5 .*\n$/);
    expect(socket.isEnded).toBe(true);
  });

  it("drops what follows the last question", () => {
    const { socket, pending } = connect("line");
    socket.say("alice@example.com\n");
    const before = process.memoryUsage().arrayBuffers;
    const megabyte = Buffer.alloc(1_000_000, "x");
    for (let i = 0; i < 100; i++) socket.emit("data", megabyte);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    expect(pending).toHaveLength(1);
  });

  it("does not write to a client that has disconnected", async () => {
    const { socket, pending } = connect("socketmap");
    socket.say(ask(0));
    socket.destroyed = true;
    socket.emit("error", new Error("reset"));
    pending[0]?.answer();
    await settle();
    expect(socket.written).toBe("");
  });

  it("that is told to finish answers the questions that have arrived, and drops half a question", async () => {
    const { socket, pending, connection } = connect("socketmap");
    socket.say(ask(0) + ask(1) + ask(2).slice(0, 5));
    connection.finish();
    expect(socket.isEnded).toBe(false);
    for (const { answer } of pending) answer();
    await settle();
    expect(socket.written).toBe("8:OK DUNNO,8:OK DUNNO,");
    expect(socket.isEnded).toBe(true);
  });

  it("that is told to finish also answers what waits for room", async () => {
    const { socket, pending, connection } = connect("socketmap");
    socket.say(askMany(2 * MAX_QUEUE));
    connection.finish();
    for (let i = 0; i < 2 * MAX_QUEUE; i++) {
      pending[i]?.answer();
      await settle();
    }
    expect(socket.written).toBe("8:OK DUNNO,".repeat(2 * MAX_QUEUE));
    expect(socket.isEnded).toBe(true);
  });
});

describe("a connection that another process is to continue", () => {
  it("takes no further question, and can be given away when those it took are answered and sent", async () => {
    const { socket, pending, connection } = connect("socketmap");
    socket.say(ask(0) + ask(1).slice(0, 5));
    let isQuiet: boolean | null = null;
    void connection.release().then((quiet) => {
      isQuiet = quiet;
    });
    expect(socket.isPaused).toBe(true);
    socket.say(ask(1).slice(5) + ask(2));
    expect(pending).toHaveLength(1);
    expect(connection.giveAway()).toBeNull();
    socket.writableLength = 11;
    pending[0]?.answer();
    await settle();
    expect(isQuiet).toBeNull();
    expect(connection.giveAway()).toBeNull();
    socket.writableLength = 0;
    socket.emit("drain");
    await settle();
    expect(isQuiet).toBe(true);
    const { bytes } = connection.giveAway() as { bytes: Uint8Array };
    expect(Buffer.from(bytes).toString()).toBe(ask(1) + ask(2));
    expect(socket.written).toBe("8:OK DUNNO,");
  });

  it("is dead here once it is given away, whatever calls it", async () => {
    const { time, socket, pending, connection } = connect("socketmap");
    const told = ["data", "drain", "end", "close"] as const;
    const listeners = told.map((event) => socket.listeners(event)[0] as (bytes?: Buffer) => void);
    socket.say(ask(0).slice(0, 5));
    await connection.release();
    expect(connection.giveAway()).not.toBeNull();
    expect(told.map((event) => socket.listenerCount(event))).toEqual([0, 0, 0, 0]);
    for (const listener of listeners) listener(Buffer.from(ask(1)));
    connection.keep();
    connection.finish();
    await time.advance(1_000_000);
    connection.closeIfStuck(time.clock.now(), 1);
    connection.destroy();
    expect(connection.giveAway()).toBeNull();
    expect(connection.isDone).toBe(true);
    expect(pending).toEqual([]);
    expect(socket).toMatchObject({ written: "", isPaused: true, isEnded: false, destroyed: false });
  });

  it("is closed if its socket cannot be handed over", async () => {
    const { socket, connection } = connect("socketmap");
    await connection.release();
    Object.assign(socket, { _handle: null });
    expect(connection.giveAway()).toBeNull();
    expect(socket.destroyed).toBe(true);
  });

  it("continues here if that process does not", async () => {
    const { socket, pending, connection } = connect("socketmap");
    socket.say(ask(0));
    const released = connection.release();
    socket.say(ask(1));
    connection.keep();
    expect(await released).toBe(false);
    expect(pending).toHaveLength(2);
    expect(socket.isPaused).toBe(false);
    expect(connection.giveAway()).toBeNull();
    for (const { answer } of pending) answer();
    await settle();
    expect(socket.written).toBe("8:OK DUNNO,8:OK DUNNO,");
  });

  it("stays here if its client, or the bridge, ends it", async () => {
    for (const end of ["client", "bridge", "fault"] as const) {
      const { socket, pending, connection } = connect("socketmap");
      socket.say(ask(0));
      const released = connection.release();
      socket.say(ask(1));
      if (end === "client") socket.emit("end");
      else if (end === "bridge") connection.finish();
      else {
        socket.destroy();
        socket.emit("close");
      }
      expect(await released).toBe(false);
      expect(connection.giveAway()).toBeNull();
      if (end === "fault") continue;
      for (const { answer } of pending) answer();
      await settle();
      expect(socket).toMatchObject({ written: "8:OK DUNNO,8:OK DUNNO,", isEnded: true });
    }
  });
});

describe("a slow client", () => {
  const TIMEOUT = 300_000;

  it("that sends a byte a second is answered", async () => {
    const { time, socket, connection } = connect("socketmap", { isCached: true });
    for (const byte of ask(7)) {
      await time.advance(1_000);
      connection.closeIfStuck(time.clock.now(), TIMEOUT);
      socket.say(byte);
    }
    expect(socket.written).toBe("8:OK DUNNO,");
    expect(socket.destroyed).toBe(false);
  });

  it("is closed although it sends a byte of a question now and then", async () => {
    const { time, socket, connection } = connect("policy");
    socket.say("request=");
    await time.advance(TIMEOUT);
    socket.say("s");
    await time.advance(1);
    connection.closeIfStuck(time.clock.now(), TIMEOUT);
    expect(socket.destroyed).toBe(true);
  });

  it.each<[string, ProtocolName, isClosed: boolean, (socket: FakeSocket) => void]>([
    ["that leaves a question unfinished", "policy", true, (socket) => socket.say("request=smtpd")],
    ["that never asks in the line protocol", "line", true, () => undefined],
    ["that is idle after an answer", "socketmap", false, (socket) => socket.say(ask(0))],
    ["that is idle from the start", "policy", false, () => undefined],
    ["that waits for its answer", "line", false, (socket) => socket.say("alice@example.com\n")],
    [
      "that never takes its replies",
      "socketmap",
      true,
      (socket) => {
        socket.isRead = false;
        socket.say(ask(0));
      },
    ],
  ])("%s (%s) is closed after the timeout: %s", async (_, protocol, isClosed, act) => {
    const { time, socket, connection } = connect(protocol, { isCached: protocol === "socketmap" });
    act(socket);
    await time.advance(TIMEOUT);
    connection.closeIfStuck(time.clock.now(), TIMEOUT);
    expect(socket.destroyed).toBe(false);
    await time.advance(isClosed ? 1 : 100 * TIMEOUT);
    connection.closeIfStuck(time.clock.now(), TIMEOUT);
    expect(socket.destroyed).toBe(isClosed);
  });
});

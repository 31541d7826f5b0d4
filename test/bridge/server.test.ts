import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { TURN } from "../../src/bridge/listeners/connection.ts";
import { temporaryFolder } from "../support/processes.ts";
import { answerOf } from "./support/answers.ts";
import { accept, LOOPBACK, startServer } from "./support/server.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";

const ALICE = netstring("access alice@example.com");
const DUNNO = "8:OK DUNNO,";

describe("a server", () => {
  it("listens in several protocols on several addresses at once", async () => {
    const { listen } = startServer();
    const folder = temporaryFolder();
    const sockets: ListenAddress[] = ["a", "b"].map((name) => ({ kind: "unix", path: join(folder, name) }));
    for (const address of [...sockets, LOOPBACK, LOOPBACK]) {
      expect(await askOnce(await listen("socketmap", address), ALICE)).toBe(DUNNO);
    }
    const policy = "request=smtpd_access_policy\nrecipient=alice@example.com\n\n";
    expect(await askOnce(await listen("policy"), policy)).toBe("action=DUNNO\n\n");
    expect(await askOnce(await listen("line"), "alice@example.com\n")).toMatch(/^250 2\.1\.5 .*\n$/);
  });

  it.each<[string, typeof accept | ((recipient: string) => Promise<Resolution>)]>([
    ["at once", accept],
    ["later", async (recipient) => accept(recipient)],
  ])(
    "answers although counting an answer that is there %s fails, and reports the fault",
    async (_, resolve) => {
      const faults: unknown[] = [];
      const broken = new Error("a label is missing");
      const { listen } = startServer({
        resolve,
        answered: () => {
          throw broken;
        },
        fault: (error) => void faults.push(error),
      });
      expect(await askOnce(await listen("socketmap"), ALICE.repeat(2))).toBe(DUNNO.repeat(2));
      expect(faults).toEqual([broken, broken]);
    },
  );

  it("answers a malformed request although counting it fails, and reports the fault", async () => {
    const faults: unknown[] = [];
    const broken = new Error("a label is missing");
    const { listen } = startServer({
      malformed: () => {
        throw broken;
      },
      fault: (error) => void faults.push(error),
    });
    expect(await askOnce(await listen("socketmap"), "not a netstring")).toMatch(/^\d+:TEMP /);
    expect(await askOnce(await listen("hooks"), "POST /v1/hooks/mta HTTP/1.1\r\nrubbish\r\n\r\n")).toBe("");
    expect(faults).toEqual([broken, broken]);
  });

  it("closes the connection of the line protocol itself, so that readsocket sees the end", async () => {
    const { listen } = startServer();
    const client = await Client.connect(await listen("line"));
    expect(await client.send("alice@example.com\n").closed()).toMatch(/^250 2\.1\.5 .*\n$/);
    client.leave();
  });

  it.each([1, 16, 128, 4096])("answers pipelined questions that come %d bytes at a time", async (size) => {
    const { listen } = startServer();
    const client = await Client.connect(await listen("socketmap"));
    const count = size === 1 ? 20 : 500;
    const bytes = Buffer.from(ALICE.repeat(count));
    for (let at = 0; at < bytes.length; at += size) {
      client.send(bytes.subarray(at, at + size));
      if (size === 1) await new Promise((done) => setImmediate(done));
    }
    client.socket.end();
    expect(await client.closed()).toBe(DUNNO.repeat(count));
    client.leave();
  });

  it("keeps 10,000 idle connections in little memory, and still answers", async () => {
    const { listen, server, stop } = startServer();
    const address = await listen("socketmap");
    const { port } = address as { port: number };
    const before = process.memoryUsage().rss;
    const script = join(import.meta.dirname, "support", "idle-clients.mjs");
    const clients = spawn(process.execPath, [script, String(port), "10000"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    onTestFinished(() => void clients.kill());
    const ended = once(clients, "close");
    await once(clients.stdout, "data");
    // The last of them may still wait to be accepted.
    while (server.connections("socketmap") < 10_000) await new Promise((done) => setImmediate(done));
    expect((process.memoryUsage().rss - before) / 10_000).toBeLessThan(30_000);
    expect(await askOnce(address, ALICE)).toBe(DUNNO);
    const [said] = await Promise.all([once(clients.stdout, "data"), clients.stdin.write("\n")]);
    expect(String(said)).toBe(`${DUNNO} ${DUNNO}\n`);
    await ended;
    await stop();
    expect(server.connections("socketmap")).toBe(0);
  });

  it("closes a connection above the limit at once, and reports it", async () => {
    const { listen, rejected } = startServer({ maxConnections: 2 });
    const address = await listen("policy");
    const two = [await Client.connect(address), await Client.connect(address)];
    const third = await Client.connect(address);
    expect(await third.closed()).toBe("");
    expect(rejected).toEqual(["policy"]);
    for (const client of [...two, third]) client.leave();
  });

  it("is not stalled by a client that asks endlessly and reads nothing", async () => {
    let answered = 0;
    const { listen } = startServer({
      resolve: (recipient) => {
        answered++;
        return accept(recipient);
      },
    });
    const address = await listen("socketmap");
    const greedy = await Client.connect(address);
    greedy.socket.pause();
    let isBlocked = false;
    // Until both sides' buffers are full.
    for (let i = 0; i < 2_000 && !isBlocked; i++) {
      isBlocked = !greedy.socket.write(ALICE.repeat(1_000)) && greedy.socket.writableLength > 8_000_000;
      await new Promise((done) => setImmediate(done));
    }
    expect(isBlocked).toBe(true);
    // It is answered in turns, until the bridge is blocked too.
    let settled = -1;
    while (settled !== answered) {
      settled = answered;
      for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
    }
    expect(await askOnce(address, ALICE)).toBe(DUNNO);
    expect(answered).toBe(settled + 1);
    greedy.leave();
  });

  it("is not stalled by 50 clients that ask endlessly and read nothing", async () => {
    let answered = 0;
    const { listen } = startServer({
      resolve: (recipient) => {
        answered++;
        return accept(recipient);
      },
    });
    const address = await listen("socketmap");
    const other = await Client.connect(address);
    const greedy = await Promise.all(Array.from({ length: 50 }, () => Client.connect(address)));
    for (const { socket } of greedy) socket.pause();
    const piece = ALICE.repeat(5_000);
    let most = 0;
    for (let i = 0; i < 20; i++) {
      for (const client of greedy) client.send(piece);
      const before = answered;
      other.text = "";
      expect(await other.send(ALICE).told(/,$/)).toBe(DUNNO);
      most = Math.max(most, answered - before);
    }
    // A few turns of each; without turns, each client has all questions that it sent answered first.
    expect(most).toBeLessThan(5 * TURN * greedy.length);
    for (const client of [...greedy, other]) client.leave();
  });

  it("closes a client that leaves a question incomplete for five minutes, and no idle one", async () => {
    const { listen, time } = startServer();
    const address = await listen("socketmap");
    const [idle, stuck] = [await Client.connect(address), await Client.connect(address)];
    expect(await idle.send(ALICE).told(/,$/)).toBe(DUNNO);
    expect(await stuck.send(`${ALICE}28:rec`).told(/,$/)).toBe(DUNNO);
    await time.advance(320_000);
    expect(await stuck.closed()).toBe(DUNNO);
    expect(await idle.send(ALICE).told(/,.*,/)).toBe(DUNNO + DUNNO);
    for (const client of [idle, stuck]) client.leave();
  });
});

describe("a stop", () => {
  it("answers what was asked, even if that takes long, and closes", async () => {
    let answer: (resolution: Resolution) => void = () => undefined;
    const promise = new Promise<Resolution>((resolve) => {
      answer = resolve;
    });
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { listen, stop } = startServer({
      resolve: () => {
        asked();
        return promise;
      },
    });
    const address = await listen("socketmap");
    const client = await Client.connect(address);
    client.send(ALICE + ALICE);
    await isAsked;
    const stopped = stop();
    await new Promise((done) => setImmediate(done));
    answer({ answer: answerOf("alice@example.com", "deliverable"), source: "edge" });
    expect(await client.closed()).toBe(DUNNO + DUNNO);
    expect(await stopped).toBeLessThanOrEqual(4_500);
    await expect(Client.connect(address)).rejects.toThrow(/ECONNREFUSED/);
    client.leave();
  });

  it("leaves no listener", async () => {
    const { server, listen, stop } = startServer();
    await listen("socketmap");
    expect(server.listeners).toHaveLength(1);
    await stop();
    expect(server.listeners).toEqual([]);
  });

  it("answers what a client had sent, even if it was not read yet", async () => {
    const { listen, stop } = startServer();
    const client = await Client.connect(await listen("socketmap"));
    expect(await client.send(ALICE).told(/,$/)).toBe(DUNNO);
    client.send(ALICE);
    await stop();
    expect(await client.closed()).toBe(DUNNO + DUNNO);
    client.leave();
  });

  it("closes idle clients at once, even if they keep their side open", async () => {
    const { listen, stop } = startServer();
    const client = await Client.connect(await listen("policy"));
    expect(await stop()).toBeLessThan(1_000);
    expect(await client.closed()).toBe("");
    client.leave();
  });

  it("waits less than five seconds for a client that never reads", async () => {
    const { listen, stop } = startServer();
    const client = await Client.connect(await listen("socketmap"));
    client.socket.pause();
    for (let i = 0; i < 200; i++) client.send(ALICE.repeat(5_000));
    for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
    expect(await stop()).toBeLessThan(5_000);
    client.leave();
  });
});

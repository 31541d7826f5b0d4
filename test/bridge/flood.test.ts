import { describe, expect, it, onTestFinished } from "vitest";
import { MAX_QUEUE } from "../../src/bridge/listeners/connection.ts";
import { ALICE, Bench, says, TIMEOUT } from "./support/bench.ts";
import { startServer } from "./support/server.ts";
import { Client, netstring } from "./support/sockets.ts";

const CLIENTS = 50;
/** Questions of each, in bytes that the bridge cannot answer within the time of the test. */
const QUESTIONS = 2_000;
/** Of the edge, ms: so slow that what waits in the order of arrival is late. */
const LATENCY = 300;

/** The name that a client asks about as its question `i`. */
const nameOf = (client: number, i: number): string => `n${client}-${i}@example.com`;

/** A bridge, and clients that send as fast as they can and never read. */
async function flooded({ clients = CLIENTS, waiting = 10_000 } = {}) {
  const bench = new Bench(says("unknown"), { requests: 8, waiting });
  bench.latency = LATENCY;
  let taken = 0;
  const { listen } = startServer({
    time: bench.time,
    resolve: (recipient, now, client) => {
      taken++;
      return bench.resolver.resolve(recipient, now, client);
    },
  });
  const address = await listen("socketmap");
  const connect = async (): Promise<Client> => {
    const client = await Client.connect(address);
    onTestFinished(() => client.leave());
    return client;
  };
  for (let n = 0; n < clients; n++) {
    const { socket } = await connect();
    socket.pause();
    socket.write(Array.from({ length: QUESTIONS }, (_, i) => netstring(`access ${nameOf(n, i)}`)).join(""));
  }
  // Until the bridge has taken from each as much as it takes.
  while (taken < MAX_QUEUE * clients) await new Promise((done) => setImmediate(done));
  /** What somebody else is told about recipients asked at once, and the virtual milliseconds until all are answered. */
  const ask = async (...recipients: string[]): Promise<{ replies: string[]; took: number }> => {
    const client = await connect();
    const from = bench.time.clock.now();
    const replies: string[] = [];
    for (const recipient of recipients) client.send(netstring(`access ${recipient}`));
    await bench.time.until(
      client.told(new RegExp(`^(?:\\d+:(?:OK|TEMP) .*?,(?=\\d+:|$)){${recipients.length}}$`)),
    );
    for (const [, reply] of client.text.matchAll(/\d+:((?:OK \d+|TEMP)) .*?,(?=\d+:|$)/g))
      replies.push(reply as string);
    return { replies, took: bench.time.clock.now() - from };
  };
  return { ask };
}

describe("clients that send without a pause and never read", () => {
  it("leave another one its answers within `timeout`", async () => {
    const { ask } = await flooded();
    for (let i = 0; i < 3; i++) {
      const { replies, took } = await ask(`${i}${ALICE}`);
      expect(replies).toEqual(["OK 550"]);
      expect(took).toBeLessThan(TIMEOUT / 2);
    }
  });

  it("leave another one its answer about a name that one of them has asked about last", async () => {
    const { ask } = await flooded();
    const { replies, took } = await ask(nameOf(7, MAX_QUEUE - 1));
    expect(replies).toEqual(["OK 550"]);
    expect(took).toBeLessThan(TIMEOUT / 2);
  });

  it("fill only their own part of what may wait", async () => {
    const { ask } = await flooded({ waiting: 100 });
    const { replies } = await ask(`first${ALICE}`, `second${ALICE}`);
    expect(replies[0]).toBe("OK 550");
    const { replies: again } = await ask(`third${ALICE}`);
    expect(again).toEqual(["OK 550"]);
  });
});

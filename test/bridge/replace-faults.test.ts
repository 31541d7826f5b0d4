import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { hookBody } from "../../integrations/stalwart/hook-message.ts";
import { pause, temporaryFolder } from "../support/processes.ts";
import { type BridgeProcess, type LoopbackEdge, startBoth, working } from "./support/bridge-process.ts";
import { isRunning, replace } from "./support/replacing.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";

/*
 * The new process is killed, or stuck, at each step of the hand-over: the old one continues, or says that nobody listens
 * and ends with an error.
 */

const USER = netstring("access user@example.com");
const DUNNO = "8:OK DUNNO,";
const HOOK_BODY = hookBody("rcpt", ["user@example.com"]);
const HOOK = `POST /v1/hooks/mta HTTP/1.1\r\nhost: bridge\r\ncontent-length: ${HOOK_BODY.length}\r\n\r\n${HOOK_BODY}`;

/** A bridge whose edge answers about `user-slow` when the test says so. */
class Rig {
  readonly bridge: BridgeProcess;
  readonly edge: LoopbackEdge;
  readonly file: string;
  readonly #held: (() => void)[] = [];
  #asked = 0;

  private constructor(bridge: BridgeProcess, edge: LoopbackEdge, file: string) {
    this.bridge = bridge;
    this.edge = edge;
    this.file = file;
    edge.behave = (recipient, response, request) => {
      const answer = (): void => working(recipient, response, request);
      if (recipient.startsWith("user-slow")) this.#held.push(answer);
      else answer();
    };
  }

  static async start(): Promise<Rig> {
    const file = join(temporaryFolder(), "socketmap");
    const listeners = ["--socketmap", `unix:${file}`, "--hooks", "127.0.0.1:0"];
    // So many questions that none shares a request with others, nor fails at once since others had no answer.
    const settings = ["--max-questions", "1000", "--breaker-failures", "1000"];
    const { bridge, edge } = await startBoth(working, [...listeners, ...settings]);
    return new Rig(bridge, edge, file);
  }

  get pid(): number {
    return this.bridge.running.child.pid as number;
  }

  /** Sends SIGUSR2. @returns the id of the new process */
  async replace(): Promise<number> {
    process.kill(this.pid, "SIGUSR2");
    const next = await until(() => childOf(this.pid));
    // It holds the pipes of the first process, which the file waits for at its end.
    onTestFinished(() => {
      if (isRunning(next)) process.kill(next, "SIGKILL");
    });
    return next;
  }

  answer(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  /** Starts a new process. @returns its id, when it has a connection */
  async replaceByHalf(): Promise<number> {
    const next = await this.replace();
    // Until it runs the command, it is a copy of the old process, with all that this has.
    await this.bridge.running.logging(/"event":"started".*\n(?:.*\n)*.*"event":"started"/);
    await until(() => socketsOf(next, this.file, false) >= 1);
    return next;
  }

  /**
   * Asks again and again, about a recipient of its own each time, so that an answer is missing at any time.
   * @returns ends it, and says how often it asked
   */
  keepAsking(client: Client): () => number {
    let asked = 0;
    const ask = (): void => {
      asked++;
      client.send(netstring(`access user-slow${this.#asked++}@example.com`));
    };
    ask();
    const timer = setInterval(ask, 200);
    return () => {
      clearInterval(timer);
      return asked;
    };
  }

  connect(): Promise<Client> {
    return Client.connect({ kind: "unix", path: this.file });
  }

  /** Whether it works, and can be replaced. */
  async expectWorking(): Promise<void> {
    expect(await askOnce({ kind: "unix", path: this.file }, USER)).toBe(DUNNO);
    await replace(this.bridge.running, this.pid);
    expect(await askOnce({ kind: "unix", path: this.file }, USER)).toBe(DUNNO);
  }
}

const repliesIn = ({ text }: Client): number => text.match(/\d+:OK (?:DUNNO|451)/g)?.length ?? 0;

/** Waits until something is there. */
async function until<T>(look: () => T | null | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== null && found !== false) return found;
    await pause(5);
  }
}

function childOf(pid: number): number | null {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? null : Number(children.split(" ").at(-1));
}

/** Sockets of a unix listener that a process has: the one that listens, or those of its clients. */
function socketsOf(pid: number, file: string, isListening: boolean): number {
  const inodes = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    // The kernel knows the name that it had before it was renamed.
    .filter(
      ([, , , flags, , , , path]) =>
        dirname(path ?? "") === dirname(file) && (flags === "00010000") === isListening,
    )
    .map(([, , , , , , inode]) => `socket:[${inode}]`);
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => inodes.includes(link)).length;
}

describe("the old process continues if the new one", () => {
  it("is killed while it starts", async () => {
    const rig = await Rig.start();
    const client = await rig.connect();
    process.kill(await rig.replace(), "SIGKILL");
    await rig.bridge.running.logging(/"event":"replace-failed".*SIGKILL.*\n/);
    expect(await client.send(USER).told(/,$/)).toBe(DUNNO);
    await rig.expectWorking();
    client.leave();
  });

  it("is killed while it is given connections: only those that it has are closed", async () => {
    const rig = await Rig.start();
    const [idle, waiting] = [await rig.connect(), await rig.connect()];
    const asked = rig.keepAsking(waiting);
    const next = await rig.replaceByHalf();
    const late = await rig.connect();
    process.kill(next, "SIGKILL");
    const questions = asked();
    await rig.bridge.running.logging(/"event":"replace-failed".*SIGKILL.*\n/);
    const answering = setInterval(() => rig.answer(), 20);
    await until(() => repliesIn(waiting) === questions);
    clearInterval(answering);
    expect(waiting.text.endsWith(DUNNO)).toBe(true);
    expect(await idle.closed()).toBe("");
    expect(waiting.isClosed).toBe(false);
    await rig.expectWorking();
    for (const each of [waiting, idle, late]) each.leave();
  });

  it("is killed, and then stops as ever", async () => {
    const rig = await Rig.start();
    const [idle, waiting] = [await rig.connect(), await rig.connect()];
    const asked = rig.keepAsking(waiting);
    const next = await rig.replaceByHalf();
    process.kill(next, "SIGKILL");
    asked();
    await rig.bridge.running.logging(/"event":"replace-failed".*SIGKILL.*\n/);
    expect(await rig.bridge.running.stop()).toMatchObject({ code: 0 });
    expect(existsSync(rig.file)).toBe(false);
    expect(rig.bridge.running.stderr).toContain('"event":"stopped"');
    for (const each of [idle, waiting]) each.leave();
  });

  it.each([1, 2])("is stuck: it is killed, and only what was on its way is closed (%i)", async (count) => {
    const rig = await Rig.start();
    const idle = await rig.connect();
    const waiting = await Promise.all(Array.from({ length: count }, () => rig.connect()));
    const asked = waiting.map((client) => rig.keepAsking(client));
    const next = await rig.replaceByHalf();
    process.kill(next, "SIGSTOP");
    for (const end of asked) end();
    const answering = setInterval(() => rig.answer(), 20);
    await rig.bridge.running.logging(/"event":"replace-failed".*SIGKILL.*\n/);
    clearInterval(answering);
    // Either it got stuck with the idle connection, or with one more.
    expect(await idle.closed()).toBe("");
    const states = waiting.map(async (client) => {
      client.text = "";
      await client.send(USER).told(/8:OK DUNNO,$/);
      return client.isClosed;
    });
    expect((await Promise.all(states)).filter((isClosed) => isClosed).length).toBeLessThanOrEqual(1);
    expect(rig.bridge.running.stderr).toContain("this process continues");
    await rig.expectWorking();
    for (const each of [idle, ...waiting]) each.leave();
  });
});

describe("the old process ends with an error if the new one", () => {
  it("is killed when the old one has closed its listeners: a hook that it has begun to read is answered", async () => {
    const rig = await Rig.start();
    const clients = await Promise.all(Array.from({ length: 15 }, () => HookClient.connect(rig)));
    // One after the other, since each may take ten seconds: enough for a new process that starts slowly.
    const waiting = [...clients];
    const beginning = setInterval(() => waiting.shift()?.begin(), 2_000);
    waiting.shift()?.begin();
    const next = await rig.replace();
    await until(() => socketsOf(rig.pid, rig.file, true) === 0);
    process.kill(next, "SIGKILL");
    clearInterval(beginning);
    const answers = await Promise.all(clients.map((client) => client.end()));
    expect(answers).toContain("accept");
    const { code, stderr } = await rig.bridge.running.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/"event":"replace-failed".*nobody listens any more/);
    expect(stderr).not.toContain('"event":"replaced"');
  });
});

/** A connection of the first process to its hooks. It is not handed on. */
class HookClient {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(rig: Rig): Promise<HookClient> {
    const client = await Client.connect(rig.bridge.address("hooks"));
    await client.send(HOOK).told(/"accept"/);
    client.text = "";
    return new HookClient(client);
  }

  /** Sends all of a request but its last octet. */
  begin(): void {
    this.#client.send(HOOK.slice(0, -1));
  }

  /** Sends that. @returns what is to be done; empty if the connection was closed */
  async end(): Promise<string> {
    const text = await this.#client.send(HOOK.slice(-1)).closed();
    this.#client.leave();
    return /"action":"(\w+)"/.exec(text)?.[1] ?? "";
  }
}

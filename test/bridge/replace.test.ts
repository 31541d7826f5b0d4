import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { FULL, ifFull } from "../support/full.ts";
import { NODE_20, pause, Running, temporaryFolder } from "../support/processes.ts";
import { type Behaviour, type BridgeProcess, slow, startBoth, working } from "./support/bridge-process.ts";
import { isRunning, replace } from "./support/replacing.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";
import { policyQuestion } from "./support/ways.ts";

const SLOW = 180_000;
const USER = netstring("access user@example.com");
const NOBODY = netstring("recipients nobody@example.com");
const DUNNO = "8:OK DUNNO,";
/** More than a large mail host has. */
const IDLE = 10_000;

/** Both kinds of sockets, and every protocol. */
async function startWithFile(
  options: { node?: string; behave?: Behaviour; args?: readonly string[] } = {},
): Promise<{
  bridge: BridgeProcess;
  edge: Awaited<ReturnType<typeof startBoth>>["edge"];
  file: string;
}> {
  const file = join(temporaryFolder(), "socketmap");
  const listeners = ["--socketmap", `unix:${file}`, "--socketmap", "127.0.0.1:0"];
  const others = ["--policy", "--line", "--metrics"].flatMap((flag) => [flag, "127.0.0.1:0"]);
  const { behave = working, args = [], ...rest } = options;
  const { bridge, edge } = await startBoth(behave, [...listeners, ...others, ...args], rest);
  return { bridge, edge, file };
}

/** Answers late, and not in the order of the questions. */
const unevenly: Behaviour = (recipient, response, request) =>
  slow(((createHash("sha256").update(recipient).digest()[0] as number) % 8) * 15)(
    recipient,
    response,
    request,
  );

const REFUSED = ["OK 550 5.1.1 "];
/** For questions that may wait too long for their turn, too. */
const REFUSED_OR_DEFERRED = [...REFUSED, "OK 451 4.3.0 "];

/**
 * Keeps so many questions under way.
 * @returns replies that are not one of these to the question at their place; what came without a question is one more
 */
async function pipeline(
  client: Client,
  {
    id,
    depth,
    isOver,
    starts = REFUSED,
  }: {
    readonly id: string;
    readonly depth: number;
    isOver(): boolean;
    readonly starts?: readonly string[];
  },
): Promise<string[]> {
  const asked: string[] = [];
  const wrong: string[] = [];
  const ask = (): void => {
    const recipient = `nobody-${id}-${asked.length}@example.com`;
    asked.push(recipient);
    client.send(netstring(`access ${recipient}`));
  };
  for (let i = 0; i < depth; i++) ask();
  for (let answered = 0; answered < asked.length; answered++) {
    const text = await client.told(/^\d+:/);
    const start = text.indexOf(":") + 1;
    const end = start + Number(text.slice(0, start - 1));
    while (client.text.length <= end && !client.isClosed) await client.told(new RegExp(`^[^]{${end + 1}}`));
    const reply = client.text.slice(start, end);
    client.text = client.text.slice(end + 1);
    const wanted = starts.map((start) => `${start}<${asked[answered]}>`);
    if (!wanted.some((each) => reply.startsWith(each)))
      wrong.push(`${wanted[0]}: ${reply}${client.isClosed ? ", closed" : ""}`);
    if (client.isClosed) break;
    if (!isOver()) ask();
  }
  if (client.text !== "") wrong.push(client.text);
  client.leave();
  return wrong;
}

const tcpOf = (bridge: BridgeProcess) => bridge.address("policy");

describe("SIGUSR2", { timeout: SLOW }, () => {
  it.each([
    ["this Node", undefined],
    ["Node 20", NODE_20],
  ])("hands listeners and open connections over to a new process (%s)", async (_, node) => {
    const { bridge, file } = await startWithFile(node === undefined ? {} : { node });
    const byFile = await Client.connect({ kind: "unix", path: file });
    const byTcp = await Client.connect(tcpOf(bridge));
    expect(await byFile.send(USER).told(/,$/)).toBe(DUNNO);
    expect(await byTcp.send(policyQuestion("user@example.com")).told(/\n\n$/)).toBe("action=DUNNO\n\n");
    const before = statSync(file);
    const pid = await replace(bridge.running);
    // Its output is still open: the new process has it.
    while (bridge.running.child.exitCode === null) await pause(10);
    expect(bridge.running.child.exitCode).toBe(0);
    expect(statSync(file)).toMatchObject({ ino: before.ino, mode: before.mode });
    for (const client of [byFile, byTcp]) expect(client.isClosed).toBe(false);
    byFile.text = "";
    expect(await byFile.send(USER).told(/,$/)).toBe(DUNNO);
    byTcp.text = "";
    byTcp.socket.end(policyQuestion("nobody@example.com"));
    expect(await byTcp.closed()).toMatch(/^action=550 5\.1\.1 .*\n\n$/);
    expect(await askOnce({ kind: "unix", path: file }, USER)).toBe(DUNNO);
    expect(await bridge.metrics()).toContain('rollcall_bridge_connections{protocol="socketmap"} 1');
    process.kill(pid, "SIGTERM");
    expect(await byFile.closed()).toBe(DUNNO);
    while (isRunning(pid)) await pause(20);
    expect(existsSync(file)).toBe(false);
    byFile.leave();
  });

  it("answers questions under way first, and keeps what was half sent", async () => {
    const { bridge, edge, file } = await startWithFile({ behave: slow(300) });
    const client = await Client.connect({ kind: "unix", path: file });
    const half = NOBODY.slice(0, 20);
    client.send(USER + half);
    await edge.wasAsked(1);
    const policy = await Client.connect(tcpOf(bridge));
    const question = policyQuestion("nobody@example.com");
    policy.send(question.slice(0, -10));
    // A tag of Sendmail's access database decides what the next key means.
    const tagged = await Client.connect({ kind: "unix", path: file });
    expect(await tagged.send(netstring("access from:someone@elsewhere.example")).told(/,$/)).toBe(
      "9:NOTFOUND ,",
    );
    const pid = await replace(bridge.running);
    onTestFinished(() => void process.kill(pid, "SIGTERM"));
    expect(await client.told(/,$/)).toBe(DUNNO);
    expect(await client.send(NOBODY.slice(20)).told(/,.*,$/)).toBe(`${DUNNO}9:NOTFOUND ,`);
    expect(await policy.send(question.slice(-10)).told(/\n\n$/)).toMatch(/^action=550 5\.1\.1/);
    expect(await tagged.send(netstring("access someone@elsewhere.example")).told(/,.*,$/)).toBe(
      "9:NOTFOUND ,9:NOTFOUND ,",
    );
    for (const each of [client, policy, tagged]) each.leave();
  });

  it.runIf(FULL)(ifFull("hands 10,000 idle connections over, and loses none"), async () => {
    const { bridge } = await startBoth(working, ["--socketmap", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    const { port } = bridge.address("socketmap") as { port: number };
    const script = join(import.meta.dirname, "support", "idle-clients.mjs");
    const clients = new Running(process.execPath, [script, String(port), String(IDLE)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    onTestFinished(() => void clients.child.kill());
    await clients.saying(/open\n/);
    const open = `rollcall_bridge_connections{protocol="socketmap"} ${IDLE}\n`;
    while (!(await bridge.metrics()).includes(open)) await pause(20);
    const from = performance.now();
    await replace(bridge.running);
    console.info(`${IDLE} idle connections were handed over in ${Math.round(performance.now() - from)} ms`);
    expect(await bridge.metrics()).toContain(open);
    clients.child.stdin?.write("\n");
    await clients.saying(/,.*\n$/);
    expect(clients.stdout).toMatch(/^open\n(?:\d+:OK 550 5\.1\.1 <alice@[^,]*,\s){2}$/);
  });

  // So many questions that none shares a request with others.
  it("answers clients that pipeline, each question once, in order, about its own address", async () => {
    const { bridge, file } = await startWithFile({ behave: unevenly, args: ["--max-questions", "1000"] });
    const addresses = [{ kind: "unix", path: file } as const, bridge.address("socketmap")];
    let isOver = false;
    const pipelining = [1, 2, 4, 8, 8, 32].map(async (depth, i) =>
      pipeline(await Client.connect(addresses[i % 2] as ListenAddress), {
        id: `of${i}`,
        depth,
        isOver: () => isOver,
      }),
    );
    let pid: number | undefined;
    for (let i = 0; i < 6; i++) {
      pid = await replace(bridge.running, pid);
      await pause(200);
    }
    isOver = true;
    const wrong = (await Promise.all(pipelining)).flat();
    expect(wrong).toEqual([]);
  });

  it("answers questions that wait for their turn at the edge, each once, in order", async () => {
    let mostAtOnce = 0;
    let atOnce = 0;
    const behave: Behaviour = (recipient, response, request) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      response.once("close", () => atOnce--);
      slow(10)(recipient, response, request);
    };
    const { bridge, edge, file } = await startWithFile({ behave, args: ["--max-questions", "1"] });
    let isOver = false;
    const pipelining = [1, 2, 4, 8, 8].map(async (depth, i) => {
      const client = await Client.connect({ kind: "unix", path: file });
      return pipeline(client, { id: `of${i}`, depth, isOver: () => isOver, starts: REFUSED_OR_DEFERRED });
    });
    let pid: number | undefined;
    for (let i = 0; i < 4; i++) {
      const before = edge.asked.length;
      pid = await replace(bridge.running, pid);
      await edge.wasAsked(before + 50);
    }
    isOver = true;
    expect((await Promise.all(pipelining)).flat()).toEqual([]);
    // Each of the five processes asks one question at a time, so that all others of the 23 waited.
    expect(mostAtOnce).toBeLessThanOrEqual(5);
  });

  it("reads the settings file again: listeners that it no longer names are closed, new ones are opened", async () => {
    const home = temporaryFolder();
    const [kept, old, young] = ["kept", "old", "young"].map((name) => join(home, name)) as [
      string,
      string,
      string,
    ];
    const write = (...paths: string[]): void =>
      writeFileSync(
        join(home, "rollcall.toml"),
        `[bridge]\nsocketmap = [${paths.map((path) => `"unix:${path}"`).join(", ")}]\n`,
      );
    write(kept, old);
    const { bridge } = await startBoth(working, [], { home });
    const client = await Client.connect({ kind: "unix", path: kept });
    write(kept, young);
    const pid = await replace(bridge.running);
    onTestFinished(() => void process.kill(pid, "SIGTERM"));
    expect(existsSync(old)).toBe(false);
    expect(await askOnce({ kind: "unix", path: young }, USER)).toBe(DUNNO);
    expect(await client.send(USER).told(/,$/)).toBe(DUNNO);
    client.leave();
  });

  it("is given up at SIGTERM: both processes end, and the socket is gone", async () => {
    const { bridge, file } = await startWithFile();
    bridge.running.child.kill("SIGUSR2");
    bridge.running.child.kill("SIGTERM");
    // Its output ends with the last process that has it.
    expect(await bridge.running.ended).toMatchObject({ code: 0 });
    expect(bridge.running.stderr).not.toContain('"event":"replaced"');
    expect(existsSync(file)).toBe(false);
  });

  it("changes nothing if the new process cannot start, and says why", async () => {
    const home = temporaryFolder();
    const file = join(home, "socketmap");
    const settings = join(home, "rollcall.toml");
    writeFileSync(settings, `[bridge]\nsocketmap = "unix:${file}"\n`);
    const { bridge } = await startBoth(working, [], { home });
    const client = await Client.connect({ kind: "unix", path: file });
    writeFileSync(settings, `${readFileSync(settings, "utf8")}timeout = 60\n`);
    bridge.running.child.kill("SIGUSR2");
    await bridge.running.logging(/"event":"replace-failed".*exit code 3.*\n/);
    expect(bridge.running.stderr).toContain("rollcall.toml:3: timeout must be a number from 0.1 to 4");
    expect(await client.send(USER).told(/,$/)).toBe(DUNNO);
    expect(await askOnce({ kind: "unix", path: file }, USER)).toBe(DUNNO);
    client.leave();
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
    expect(existsSync(file)).toBe(false);
  });
});

/*
 * MTA Hooks on a listener of the bridge: requests as the sources of Stalwart and of a client of the draft write them. Neither
 * was run.
 */
import { Agent } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DraftClient } from "../../integrations/mta-hooks/hook-client.ts";
import { draftBody } from "../../integrations/mta-hooks/hook-message.ts";
import { rcptReply } from "../../integrations/stalwart/hook-client.ts";
import { hookBody, type Stage } from "../../integrations/stalwart/hook-message.ts";
import { MAX_HOOK_BODY } from "../../src/api/index.ts";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { NODE_20, pause, temporaryFolder } from "../support/processes.ts";
import type { answerOf } from "./support/answers.ts";
import { type BridgeProcess, refusing, startBoth, working } from "./support/bridge-process.ts";
import { ask, type HookAnswer, post, type Sent, says } from "./support/hooks.ts";
import { replace } from "./support/replacing.ts";
import { accept, LOOPBACK, startServer } from "./support/server.ts";
import { Client } from "./support/sockets.ts";

const USER = "user@example.com";
const NOBODY = "nobody@example.com";

const rcpt = (address: ListenAddress, recipient: string): Promise<HookAnswer> =>
  ask(address, hookBody("rcpt", [recipient]));

const deferred = (why: string) => ({
  action: "reject",
  response: expect.objectContaining({
    status: 451,
    enhanced_status: "4.3.0",
    enhancedStatus: "4.3.0",
    message: expect.stringContaining(why),
  }),
});

describe("a hook", () => {
  it.each<[Parameters<typeof answerOf>[1], unknown]>([
    ["deliverable", { action: "accept" }],
    [
      "unknown",
      { action: "reject", response: expect.objectContaining({ status: 550, enhanced_status: "5.1.1" }) },
    ],
    [
      "full",
      { action: "reject", response: expect.objectContaining({ status: 452, enhancedStatus: "4.2.2" }) },
    ],
    ["unavailable", deferred("cannot be checked now")],
  ])("gets the answer of the verdict: %s", async (verdict, expected) => {
    const { listen } = startServer({ resolve: says(verdict) });
    expect(await rcpt(await listen("hooks"), USER)).toEqual(expected);
  });

  it("gets a JSON Patch if the client accepts one", async () => {
    const { listen } = startServer({ resolve: says("unknown") });
    const address = await listen("hooks");
    const headers = { Accept: "application/json-patch+json" };
    const told = await post(address, draftBody("rcpt", [NOBODY]), { headers });
    expect([told.status, told.type]).toEqual([200, "application/json-patch+json"]);
    expect(JSON.parse(told.body)).toEqual([
      { op: "add", path: "/action", value: "reject" },
      { op: "add", path: "/response", value: expect.objectContaining({ code: 550, enhancedCode: "5.1.1" }) },
    ]);
    expect((await post(address, draftBody("data", [NOBODY]), { headers })).body).toBe("[]");
  });

  it("comes over a unix socket, too, and as often as the client likes over one connection", async () => {
    const { listen, server } = startServer({ resolve: async (recipient) => accept(recipient) });
    const address: ListenAddress = { kind: "unix", path: join(temporaryFolder(), "hooks") };
    await listen("hooks", address);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let i = 0; i < 5; i++)
      expect(await ask(address, hookBody("rcpt", [USER]), { agent })).toEqual({ action: "accept" });
    expect(server.connections("hooks")).toBe(1);
  });

  it.each<Stage>(["connect", "ehlo", "auth", "mail", "data"])(
    "asks about nobody at the stage %s",
    async (stage) => {
      const counted: unknown[] = [];
      const { listen } = startServer({
        resolve: () => {
          throw new Error("nobody may be asked about");
        },
        answered: (...args: unknown[]) => void counted.push(args[1]),
      });
      expect(await ask(await listen("hooks"), hookBody(stage, [USER]))).toEqual({ action: "accept" });
      expect(counted).toEqual(["no-recipient"]);
    },
  );

  it.each<[string, string, string]>([
    ["no JSON", "{", "not JSON"],
    ["no recipient", hookBody("rcpt", []), "no recipient"],
    ["an unknown stage", '{"context":{"stage":"route"}}', "not known"],
    [
      "a body over the limit",
      hookBody(
        "rcpt",
        Array.from({ length: 12_000 }, (_, i) => `r${i}@example.com`),
      ),
      `more than ${MAX_HOOK_BODY} octets`,
    ],
    ["50 MB", "x".repeat(50_000_000), `more than ${MAX_HOOK_BODY} octets`],
  ])("is deferred with status 200 if it cannot be understood: %s", async (_, body, why) => {
    const { listen } = startServer();
    const address = await listen("hooks");
    expect(await ask(address, body)).toMatchObject(deferred(why));
    expect(await rcpt(address, USER)).toEqual({ action: "accept" });
  });

  it("gets an error status where no hooks are", async () => {
    const { listen } = startServer();
    const address = await listen("hooks");
    for (const path of ["/v1/hooks", "/v1/hooks/registrations/other", "/", "*"]) {
      expect((await post(address, "{}", { path })).status, path).toBe(404);
    }
    for (const [method, path] of [
      ["GET", "/v1/hooks/mta"],
      ["PUT", "/v1/hooks/mta"],
      ["POST", "/.well-known/mta-hooks"],
      ["GET", "/v1/hooks/registrations"],
      ["POST", "/v1/hooks/registrations/bridge"],
    ] as const) {
      expect((await post(address, "", { method, path })).status, `${method} ${path}`).toBe(405);
    }
  });

  it("is deferred if resolving it fails, and the fault is reported", async () => {
    const faults: unknown[] = [];
    const { listen } = startServer({
      resolve: () => Promise.reject(new Error("broken")),
      fault: (error) => void faults.push(error),
    });
    expect(await rcpt(await listen("hooks"), USER)).toEqual(deferred("internal error"));
    expect(faults).toEqual([new Error("broken")]);
  });

  it("is answered although counting fails", async () => {
    const faults: unknown[] = [];
    const { listen } = startServer({
      answered: () => {
        throw new Error("a label is missing");
      },
      fault: (error) => void faults.push(error),
    });
    expect(await rcpt(await listen("hooks"), USER)).toEqual({ action: "accept" });
    expect(faults).toHaveLength(1);
  });

  it("is never refused by an answer that has expired (law 2)", async () => {
    const { listen } = startServer({ resolve: says("unknown", { until: 0 }) });
    expect(await rcpt(await listen("hooks"), NOBODY)).toEqual(deferred("expired"));
  });

  it("is deferred if the client has not waited for the answer before", async () => {
    let release: (resolution: Resolution) => void = () => undefined;
    const { listen } = startServer({
      resolve: (recipient) =>
        new Promise((resolve) => {
          release = () => resolve(accept(recipient));
        }),
    });
    const client = await Client.connect(await listen("hooks"));
    const body = hookBody("rcpt", [USER]);
    const text = `POST /v1/hooks/mta HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    client.send(text + text);
    await pause(50);
    release(accept(USER));
    const told = await client.told(/"accept"[\s\S]*451/);
    expect(told.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    client.leave();
  });

  it("is not taken from a network that may not connect, nor above the limit of connections", async () => {
    const closed = startServer({ isAllowed: () => false });
    await expect(rcpt(await closed.listen("hooks"), USER)).rejects.toThrow();
    expect(closed.foreign).toEqual(["hooks"]);
    const full = startServer({ maxConnections: 1 });
    const [socketmap, hooks] = [await full.listen("socketmap"), await full.listen("hooks")];
    const client = await Client.connect(socketmap);
    await pause(20);
    await expect(rcpt(hooks, USER)).rejects.toThrow();
    expect(full.rejected).toEqual(["hooks"]);
    client.leave();
  });

  it("does not outlast a client that sends no HTTP, or goes away halfway through", async () => {
    const { listen, server } = startServer();
    const address = await listen("hooks");
    for (const text of [
      "\0\x01\x02 no HTTP\r\n\r\n",
      "POST /v1/hooks/mta HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    ]) {
      const client = await Client.connect(address);
      client.send(text);
      if (text.startsWith("POST")) client.leave();
      else await client.closed();
    }
    while (server.connections("hooks") > 0) await pause(10);
    expect(await rcpt(address, USER)).toEqual({ action: "accept" });
  });
});

describe("a stop", () => {
  it("answers the request under way, says that the connection ends, and closes those that are idle", async () => {
    let release: () => void = () => undefined;
    const asked = new Promise<void>((wasAsked) => {
      release = wasAsked;
    });
    let answer: () => void = () => undefined;
    const { listen, stop, server } = startServer({
      resolve: (recipient) => {
        release();
        return new Promise((resolve) => {
          answer = () => resolve(accept(recipient));
        });
      },
    });
    const address = await listen("hooks", LOOPBACK);
    const idle = await Client.connect(address);
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const sent = post(address, hookBody("rcpt", [USER]), { agent });
    await asked;
    const stopped = stop();
    expect(await idle.closed()).toBe("");
    answer();
    expect(await sent).toMatchObject({ status: 200, connection: "close", body: '{"action":"accept"}' });
    expect(await stopped).toBeLessThan(4_500);
    expect(server.connections("hooks")).toBe(0);
  });
});

describe("rollcall bridge --hooks", () => {
  const FLAGS = ["--hooks", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
  const urlOf = (bridge: BridgeProcess): string => {
    const { host, port } = bridge.address("hooks") as { host: string; port: number };
    return `http://${host}:${port}/v1/hooks/mta`;
  };
  const asStalwart = (bridge: BridgeProcess, recipients: readonly string[]): Promise<string> =>
    rcptReply(
      {
        url: urlOf(bridge),
        authorization: null,
        authority: null,
        timeout: 5_000,
        maxResponseSize: 65_536,
        tempFailOnError: false,
      },
      recipients,
    );

  it("answers as the edge does, and counts what it answered", async () => {
    const { bridge } = await startBoth(working, FLAGS);
    expect(await asStalwart(bridge, [NOBODY, USER])).toBe("250 2.1.5 OK");
    expect(await asStalwart(bridge, [USER, NOBODY])).toMatch(/^550 5\.1\.1 <nobody@example\.com>: /);
    expect(await asStalwart(bridge, ["full@example.com"])).toMatch(/^452 4\.2\.2 /);
    const metrics = await bridge.metrics();
    expect(metrics).toMatch(/rollcall_bridge_lookups_total\{protocol="hooks",verdict="unknown",[^}]*\} 1/);
    expect(metrics).toMatch(/rollcall_bridge_connections\{protocol="hooks"\} \d/);
  });

  it("serves a client of the draft, from its registration to its end", async () => {
    const { bridge } = await startBoth(working, FLAGS);
    const client = new DraftClient({
      url: urlOf(bridge).replace("mta", "registrations"),
      authorization: "Bearer not-read",
      timeout: 5_000,
      authority: null,
    });
    expect(await client.register()).toMatchObject({ id: "bridge", endpoint: urlOf(bridge) });
    expect(await client.rcpt(NOBODY, USER)).toBe("250 2.1.5 Ok");
    expect(await client.rcpt(USER, NOBODY)).toMatch(/^550 5\.1\.1 <nobody@example\.com>: /);
    expect(await client.rcpt("full@example.com")).toMatch(/^452 4\.2\.2 /);
    expect(await client.deregister()).toBe(200);
  });

  it("defers, whatever the edge answers, even where the mail server accepts on errors", async () => {
    const { bridge, edge } = await startBoth(refusing(503, "unavailable"), FLAGS);
    expect(await asStalwart(bridge, [NOBODY])).toMatch(/^451 4\.3\.0 /);
    edge.behave = (_, response) => void response.end("<html>");
    expect(await asStalwart(bridge, [NOBODY])).toMatch(/^451 4\.3\.0 /);
    await edge.stop();
    expect(await asStalwart(bridge, [NOBODY])).toMatch(/^451 4\.3\.0 /);
  });

  it.each([
    ["this Node", undefined],
    ["Node 20", NODE_20],
  ])("hands its listener over to a new process, and answers what was asked before (%s)", async (_, node) => {
    const options = node === undefined ? {} : { node };
    const { bridge, edge } = await startBoth(working, [...FLAGS, "--timeout", "4"], options);
    const address = bridge.address("hooks");
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    let pid: number | undefined;
    let answered: Sent;
    // A process that takes longer to start than the bridge waits for the edge is too late: the next one may not be.
    do {
      let answer = (): void => undefined;
      const mayAnswer = new Promise<void>((resolve) => {
        answer = resolve;
      });
      edge.behave = (...asked) => void mayAnswer.then(() => working(...asked));
      const idle = await Client.connect(address);
      const sent = post(address, hookBody("rcpt", [`nobody.${edge.asked.length}@example.com`]), { agent });
      await edge.wasAsked(edge.asked.length + 1);
      const replaced = replace(bridge.running, pid);
      // The old process closes what is idle while it waits for the answer.
      await Promise.race([idle.closed(), pause(3_000)]);
      answer();
      answered = await sent;
      pid = await replaced;
    } while (answered.connection !== "close");
    expect(answered.status).toBe(200);
    expect((JSON.parse(answered.body) as HookAnswer).response?.status).toBe(550);
    edge.behave = working;
    expect(await ask(address, hookBody("rcpt", [USER]), { agent })).toEqual({ action: "accept" });
  });
});

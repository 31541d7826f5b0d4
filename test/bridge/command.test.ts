import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { NODE_20, startCli, temporaryFolder } from "../support/processes.ts";
import { answerOf } from "./support/answers.ts";
import {
  type Behaviour,
  type BridgeProcess,
  EVERY_LISTENER,
  json,
  type LoopbackEdge,
  startBridge,
  startEdge,
  working,
} from "./support/bridge-process.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";

const SLOW = 60_000;
/** What the MTAs' patience is held to, ms. */
const PATIENCE = 5_000;

const policyQuestion = (recipient: string): string =>
  `request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=${recipient}\n\n`;

/** The ways in which MTAs ask: a question, and what each action makes of it. */
const WAYS = {
  recipients: {
    listener: "socketmap",
    question: (recipient: string) => netstring(`recipients ${recipient}`),
    accept: /^\d+:OK deliverable,$/,
    reject: /^9:NOTFOUND ,$/,
    defer: /^\d+:TEMP 4\d\d 4\.\d\.\d .+,$/,
  },
  access: {
    listener: "socketmap",
    question: (recipient: string) => netstring(`access ${recipient}`),
    accept: /^8:OK DUNNO,$/,
    reject: /^\d+:OK 550 5\.1\.1 .+,$/,
    defer: /^\d+:OK 4\d\d 4\.\d\.\d .+,$/,
  },
  policy: {
    listener: "policy",
    question: policyQuestion,
    accept: /^action=DUNNO\n\n$/,
    reject: /^action=550 5\.1\.1 .+\n\n$/,
    defer: /^action=4\d\d 4\.\d\.\d .+\n\n$/,
  },
  line: {
    listener: "line",
    question: (recipient: string) => `${recipient}\n`,
    accept: /^250 2\.1\.5 .+\n$/,
    reject: /^550 5\.1\.1 .+\n$/,
    defer: /^4\d\d 4\.\d\.\d .+\n$/,
  },
} as const;

const WAY_NAMES = Object.keys(WAYS) as (keyof typeof WAYS)[];

async function ask(bridge: BridgeProcess, way: keyof typeof WAYS, recipient: string): Promise<string> {
  const { listener, question } = WAYS[way];
  return askOnce(bridge.address(listener), question(recipient));
}

const page = async (bridge: BridgeProcess): Promise<string> => {
  const { host, port } = bridge.address("metrics") as { host: string; port: number };
  return (await fetch(`http://${host}:${port}/metrics`)).text();
};

describe("rollcall bridge", () => {
  it("listens where it was told, says that it is ready, answers, and stops at SIGTERM", {
    timeout: SLOW,
  }, async () => {
    const edge = await startEdge();
    const folder = temporaryFolder();
    const socket = join(folder, "socketmap");
    const bridge = await startBridge(edge.url, [
      ...["--socketmap", "127.0.0.1:0", "--socketmap", `unix:${socket}`],
      ...["--policy", "127.0.0.1:0", "--line", "127.0.0.1:0"],
    ]);
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    for (const way of WAY_NAMES) {
      expect(await ask(bridge, way, "user@example.com")).toMatch(WAYS[way].accept);
      expect(await ask(bridge, way, "nobody@example.com")).toMatch(WAYS[way].reject);
      expect(await ask(bridge, way, "full@example.com")).toMatch(WAYS[way].defer);
    }
    const domains = netstring("domains example.com") + netstring("domains example.org");
    expect(await askOnce({ kind: "unix", path: socket }, domains)).toBe("9:OK served,9:NOTFOUND ,");
    const began = performance.now();
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(PATIENCE);
  });

  it("keeps its connection to the edge", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url);
    for (let i = 0; i < 10; i++) {
      expect(await ask(bridge, "line", `user${i}@example.com`)).toMatch(WAYS.line.accept);
    }
    expect(edge.asked).toHaveLength(10);
    expect(edge.connections).toBe(1);
    await bridge.running.stop();
  });

  it.skipIf(NODE_20 === undefined)("runs on Node 20", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url, undefined, { node: NODE_20 as string });
    for (const way of WAY_NAMES) expect(await ask(bridge, way, "user@example.com")).toMatch(WAYS[way].accept);
    expect(await page(bridge)).toContain("rollcall_bridge_lookups_total");
    expect(await bridge.running.stop("SIGINT")).toMatchObject({ code: 0 });
  });

  it("answers what was asked before SIGTERM, and ends within five seconds though the edge hangs", {
    timeout: SLOW,
  }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url);
    edge.behave = (recipient, response) =>
      void setTimeout(() => working(recipient, response, response.req), 700);
    const client = await Client.connect(bridge.address("policy"));
    client.send(policyQuestion("user@example.com"));
    while (edge.asked.length === 0) await new Promise((done) => setTimeout(done, 10));
    edge.behave = () => undefined;
    const hung = await Client.connect(bridge.address("line"));
    hung.send("user2@example.com\n");
    while (edge.asked.length === 1) await new Promise((done) => setTimeout(done, 10));
    const began = performance.now();
    const stopped = bridge.running.stop();
    expect(await client.closed()).toBe("action=DUNNO\n\n");
    expect(await hung.closed()).toMatch(/^451 4\.3\.0 .*\n$/);
    expect(await stopped).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(PATIENCE);
    for (const each of [client, hung]) each.leave();
  });

  it("counts lookups by protocol, verdict and source, and writes and counts no address", {
    timeout: SLOW,
  }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url, [
      ...["--socketmap", "127.0.0.1:0", "--line", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
      ...["--log-level", "debug"],
    ]);
    await ask(bridge, "line", "user@example.com");
    await ask(bridge, "recipients", "user@example.com");
    await ask(bridge, "line", "nobody@example.com");
    await ask(bridge, "line", "no address");
    edge.behave = (recipient, response) =>
      json(response, { error: { code: "bad_request", message: `what is ${recipient}?` } }, 400);
    await ask(bridge, "line", "secret@example.com");
    edge.behave = (recipient, response) => {
      response.writeHead(301, { location: `https://elsewhere.example/${recipient}` }).end();
    };
    await ask(bridge, "line", "secret2@example.com");
    await askOnce(bridge.address("socketmap"), "secret3@example.com");
    const text = await page(bridge);
    for (const line of [
      'rollcall_bridge_lookups_total{protocol="line",verdict="deliverable",action="accept",mode="enforce",source="edge"} 1',
      'rollcall_bridge_lookups_total{protocol="socketmap",verdict="deliverable",action="accept",mode="enforce",source="cache"} 1',
      'rollcall_bridge_lookups_total{protocol="line",verdict="unknown",action="reject",mode="enforce",source="edge"} 1',
      'rollcall_bridge_lookups_total{protocol="line",verdict="malformed",action="reject",mode="none",source="local"} 1',
      'rollcall_bridge_lookups_total{protocol="line",verdict="unavailable",action="defer",mode="none",source="none"} 2',
      'rollcall_bridge_lookup_seconds_count{protocol="line"} 5',
      'rollcall_bridge_edge_seconds_count{result="answer"} 2',
      'rollcall_bridge_edge_seconds_count{result="api"} 1',
      'rollcall_bridge_edge_seconds_count{result="protocol"} 1',
      "rollcall_bridge_edge_requests_total 4",
      'rollcall_bridge_bad_questions_total{protocol="socketmap"} 1',
      "rollcall_bridge_cache_entries 2",
      "rollcall_bridge_breaker_state 0",
      'rollcall_bridge_connections{protocol="socketmap"} 0',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    const { stdout, stderr } = await bridge.running.stop();
    const events = stderr
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toEqual(["started", "no-answer", "no-answer", "bad-question", "stopping", "stopped"]);
    expect(stdout + stderr + text).not.toMatch(/@|secret|nobody|example\.com|a-token/);
  });

  it("lives on at SIGHUP, says so, and answers what was asked", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url);
    edge.behave = (recipient, response) =>
      void setTimeout(() => working(recipient, response, response.req), 500);
    const client = await Client.connect(bridge.address("line"));
    client.send("user@example.com\n");
    while (edge.asked.length === 0) await new Promise((done) => setTimeout(done, 10));
    bridge.running.child.kill("SIGHUP");
    expect(await client.closed()).toMatch(WAYS.line.accept);
    client.leave();
    edge.behave = working;
    expect(await ask(bridge, "line", "user2@example.com")).toMatch(WAYS.line.accept);
    const { code, stderr } = await bridge.running.stop();
    expect(code).toBe(0);
    expect(stderr).toMatch(/"event":"hangup".*restart the bridge/);
  });

  /** Everybody is unknown, and accepted in observe mode. */
  const observing: Behaviour = (recipient, response) =>
    json(response, answerOf(recipient, "unknown", { mode: "observe" }));

  it("counts what observe mode accepted apart, and logs nobody unless it is told to", {
    timeout: SLOW,
  }, async () => {
    const edge = await startEdge();
    edge.behave = observing;
    const bridge = await startBridge(edge.url, [...EVERY_LISTENER, "--log-level", "debug"]);
    expect(await ask(bridge, "line", "nobody@example.com")).toMatch(WAYS.line.accept);
    const { stdout, stderr } = bridge.running;
    expect(await page(bridge)).toContain(
      'rollcall_bridge_lookups_total{protocol="line",verdict="unknown",action="accept",mode="observe",source="edge"} 1\n',
    );
    await bridge.running.stop();
    expect(stdout + stderr).not.toMatch(/nobody/);
  });

  it.each([
    ["a flag", ["--log-observed"], ""],
    ["a setting", [], "[bridge]\nlog_observed = true\n"],
  ])(
    "logs each recipient whom observe mode accepted and enforce mode would not, by %s",
    { timeout: SLOW },
    async (_, flags, toml) => {
      const edge = await startEdge();
      edge.behave = observing;
      const home = temporaryFolder();
      writeFileSync(join(home, "rollcall.toml"), toml);
      const bridge = await startBridge(edge.url, [...EVERY_LISTENER, ...flags], { home });
      for (const way of ["line", "policy"] as const) await ask(bridge, way, "nobody@example.com");
      edge.behave = working;
      await ask(bridge, "line", "user@example.com");
      await ask(bridge, "line", "nobody2@example.com");
      const { stderr } = await bridge.running.stop();
      const lines = stderr.split("\n").filter((line) => line.includes('"observed"'));
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
        ["line", "policy"].map((protocol) => ({
          level: "info",
          time: expect.any(String),
          name: "rollcall-bridge",
          event: "observed",
          protocol,
          recipient: "nobody@example.com",
          verdict: "unknown",
          would: "550 5.1.1 <nobody@example.com>: no such mailbox here",
          generation: 7,
          msg: "accepted in observe mode",
        })),
      );
    },
  );

  it("says that its token expired, and is not ready", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    edge.behave = (_, response) => json(response, { error: { code: "unauthorized", message: "no" } }, 401);
    const expires = Date.UTC(2026, 0, 2);
    const claims = { id: "0".repeat(16), role: "check", domains: null, expires };
    const token = `rc1.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.bWFj`;
    const bridge = await startBridge(edge.url, EVERY_LISTENER, { token });
    const { host, port } = bridge.address("metrics") as { host: string; port: number };
    const ready = await fetch(`http://${host}:${port}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringMatching(/^the token expired on 2026-01-02T00:00:00\.000Z: create one with/),
    ]);
    expect((await fetch(`http://${host}:${port}/healthz`)).status).toBe(200);
    expect(await ask(bridge, "line", "user@example.com")).toMatch(WAYS.line.defer);
    const text = await page(bridge);
    expect(text).toContain(`rollcall_bridge_token_expires_timestamp_seconds ${expires / 1000}\n`);
    expect(text).toContain("rollcall_bridge_ready 0\n");
    expect(text).toContain('rollcall_bridge_edge_seconds_count{result="unauthorized"} 1\n');
    const { stderr } = await bridge.running.stop();
    expect(stderr).toMatch(/"level":"error".*"event":"token".*the token expired on 2026-01-02/);
    expect(stderr).toMatch(/"event":"no-answer","fault":"unauthorized".*the token expired on 2026-01-02/);
    expect(stderr).not.toContain(token);
  });

  it("is not ready while the edge refuses its token, and says what 401 and 403 mean", {
    timeout: SLOW,
  }, async () => {
    const edge = await startEdge();
    const bridge = await startBridge(edge.url);
    const { host, port } = bridge.address("metrics") as { host: string; port: number };
    const ready = async (): Promise<number> => (await fetch(`http://${host}:${port}/readyz`)).status;
    expect(await ready()).toBe(200);
    edge.behave = (_, response) => json(response, { error: { code: "unauthorized", message: "no" } }, 401);
    await ask(bridge, "line", "user@example.com");
    expect(await ready()).toBe(503);
    edge.behave = (_, response) => json(response, { error: { code: "forbidden", message: "no" } }, 403);
    await ask(bridge, "line", "user@example.com");
    expect(await ready()).toBe(200);
    edge.behave = working;
    await ask(bridge, "line", "user@example.com");
    expect(await ready()).toBe(200);
    const { stderr } = await bridge.running.stop();
    expect(stderr).toMatch(/"fault":"unauthorized","status":401,"why":"the edge refuses the token \(401\)/);
    expect(stderr).toMatch(/"fault":"forbidden","status":403,"why":"the token's role or domains/);
  });

  it("with --json says where it listens as one document", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const running = startCli(["bridge", "--json", "--line", "127.0.0.1:0"], {
      home: temporaryFolder(),
      env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "a-token" },
    });
    await running.saying(/\n}\n/);
    const { stdout } = await running.stop();
    expect(JSON.parse(stdout)).toEqual({
      ready: true,
      listeners: [{ name: "line", address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }],
    });
  });
});

describe("settings of the bridge", () => {
  const ENV = { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "a-token" };

  async function refused(
    toml: string | null,
    ...args: string[]
  ): Promise<{ code: number | null; stderr: string }> {
    const home = temporaryFolder();
    if (toml !== null) writeFileSync(join(home, "rollcall.toml"), toml);
    const { code, stderr, stdout } = await startCli(["bridge", ...args], { home, env: ENV }).ended;
    expect(stdout).toBe("");
    return { code, stderr };
  }

  it("come from rollcall.toml, and a flag goes before", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const home = temporaryFolder();
    const socket = join(home, "s");
    writeFileSync(
      join(home, "rollcall.toml"),
      `[bridge]\nsocketmap = ["127.0.0.1:0", "unix:${socket}"]\nline = "127.0.0.1:0"\nsocket_mode = "0600"\nlog_level = "silent"\n`,
    );
    const bridge = await startBridge(edge.url, ["--socket-mode", "0666"], { home });
    expect(statSync(socket).mode & 0o777).toBe(0o666);
    expect(await ask(bridge, "line", "user@example.com")).toMatch(WAYS.line.accept);
    expect(await bridge.running.stop()).toMatchObject({ code: 0, stderr: "" });
  });

  it.each([
    ['socketmap = "0.0.0.0:25"', /rollcall\.toml:2: socketmap "0\.0\.0\.0:25" must be a loopback address/],
    ["line = [1]", /rollcall\.toml:2: line must be addresses/],
    ["timeout = 60", /rollcall\.toml:2: timeout must be a number from 0\.1 to 4/],
    ["cache_bytes = 1.5", /rollcall\.toml:2: cache_bytes must be a whole number from 65536/],
    ["socket_mode = 660", /rollcall\.toml:2: socket_mode must be an octal string such as "0660"/],
    ['log_level = "loud"', /rollcall\.toml:2: log_level must be one of debug, info/],
    ["accept_gracee = 1", /rollcall\.toml:2: accept_gracee is no setting here; known are socketmap, policy/],
  ])("that are wrong (%s) are told with file, line and key", { timeout: SLOW }, async (line, pattern) => {
    const { code, stderr } = await refused(`[bridge]\n${line}\n`, "--line", "127.0.0.1:0");
    expect(stderr).toMatch(pattern);
    expect(code).toBe(3);
  });

  it.each([
    [["--line", "192.0.2.1:25"], /--line <address>.*It "192\.0\.2\.1:25" must be a loopback address/],
    [["--line", "127.0.0.1:0", "--timeout", "never"], /--timeout <seconds>.*It must be a number/],
    [["--metrics", "127.0.0.1:0"], /no listener is configured/],
    [[], /no listener is configured/],
  ])("that are wrong (%j) are told with the flag", { timeout: SLOW }, async (args, pattern) => {
    const { code, stderr } = await refused(null, ...args);
    expect(stderr).toMatch(pattern);
    expect(code).toBe(2);
  });

  it("name a port that is taken", { timeout: SLOW }, async () => {
    const edge = await startEdge();
    const { port } = new URL(edge.url);
    const { code, stderr } = await refused(null, "--line", "127.0.0.1:0", "--policy", `127.0.0.1:${port}`);
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: another process listens there`);
    expect(code).toBe(1);
  });
});

/** Each way in which whatever stands at the edge's URL can fail a question. */
const FAULTS: Readonly<Record<string, Behaviour>> = {
  "hangs before its answer": () => undefined,
  "hangs within its answer": (recipient, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(JSON.stringify(answerOf(recipient, "unknown")).slice(0, 60));
  },
  "resets the connection": (_, response) => void response.socket?.resetAndDestroy(),
  "closes half-way through its answer": (recipient, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "900" });
    response.write(JSON.stringify(answerOf(recipient, "unknown")), () => response.destroy());
  },
  "answers 301": (_, response) => void response.writeHead(301, { location: "/v1/other" }).end(),
  "answers 204": (_, response) => void response.writeHead(204).end(),
  ...Object.fromEntries(
    [401, 403, 404, 429, 500, 502, 503].map((status): [string, Behaviour] => [
      `answers ${status}`,
      (_, response) => json(response, { error: { code: "whatever", message: "no" } }, status),
    ]),
  ),
  ...Object.fromEntries(
    [404, 429, 500, 503].map((status): [string, Behaviour] => [
      `answers ${status} with the body of a refusal`,
      (recipient, response) => json(response, answerOf(recipient, "unknown"), status),
    ]),
  ),
  "answers HTML": (_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><h1>550 5.1.1</h1>");
  },
  "answers half a JSON": (recipient, response) => {
    const text = JSON.stringify(answerOf(recipient, "unknown"));
    response.writeHead(200, { "content-type": "application/json" }).end(text.slice(0, -10));
  },
  "answers an unknown verdict": (recipient, response) =>
    json(response, { ...answerOf(recipient, "unknown"), verdict: "vanished" }),
  "answers an unknown action": (recipient, response) =>
    json(response, { ...answerOf(recipient, "unknown"), action: "discard" }),
  "answers about somebody else": (_, response) => json(response, answerOf("bob@example.com", "unknown")),
  "answers a list": (recipient, response) => json(response, { results: [answerOf(recipient, "unknown")] }),
  "answers without end": (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = (): void => {
      if (!response.destroyed) response.write(" ".repeat(65_536), () => setImmediate(more));
    };
    more();
  },
  "answers nothing": (_, response) => void response.writeHead(200).end(),
};

describe("while the edge fails", { timeout: SLOW }, () => {
  let edge: LoopbackEdge;
  let bridge: BridgeProcess;
  let next = 0;

  beforeAll(async () => {
    edge = await startEdge();
    bridge = await startBridge(edge.url);
    expect(await ask(bridge, "line", "user-known@example.com")).toMatch(WAYS.line.accept);
  }, SLOW);

  /** Everybody is deferred in time, whoever was accepted before is accepted, and it is over when it is over. */
  async function expectDeferrals(): Promise<void> {
    const began = performance.now();
    const replies = await Promise.all(WAY_NAMES.map((way) => ask(bridge, way, `user${next++}@example.com`)));
    WAY_NAMES.forEach((way, i) => {
      expect(replies[i]).toMatch(WAYS[way].defer);
    });
    for (const way of WAY_NAMES) {
      expect(await ask(bridge, way, "user-known@example.com")).toMatch(WAYS[way].accept);
    }
    expect(performance.now() - began).toBeLessThan(PATIENCE);
  }

  async function expectRecovery(): Promise<void> {
    for (const way of WAY_NAMES) {
      expect(await ask(bridge, way, `user${next++}@example.com`)).toMatch(WAYS[way].accept);
      expect(await ask(bridge, way, `nobody${next++}@example.com`)).toMatch(WAYS[way].reject);
    }
  }

  it.each(Object.entries(FAULTS))(
    "and %s: deferrals in time, and the truth afterwards",
    async (_, behave) => {
      edge.behave = behave;
      await expectDeferrals();
      edge.behave = working;
      await expectRecovery();
    },
  );

  it("and is not there: deferrals in time, and the truth afterwards", async () => {
    await edge.stop();
    await expectDeferrals();
    await edge.start();
    await expectRecovery();
  });

  it("a refusal is still given while it may be", async () => {
    expect(await ask(bridge, "line", "stranger@example.com")).toMatch(WAYS.line.reject);
    edge.behave = FAULTS["answers 500"] as Behaviour;
    for (const way of WAY_NAMES) {
      expect(await ask(bridge, way, "stranger@example.com")).toMatch(WAYS[way].reject);
    }
    edge.behave = working;
  });

  it("a name that does not resolve is a deferral in time", async () => {
    const lost = await startBridge("https://edge.invalid");
    const began = performance.now();
    for (const way of WAY_NAMES) {
      expect(await ask(lost, way, "user@example.com")).toMatch(WAYS[way].defer);
    }
    expect((performance.now() - began) / WAY_NAMES.length).toBeLessThan(PATIENCE);
    expect(await lost.running.stop()).toMatchObject({ code: 0 });
  });
});

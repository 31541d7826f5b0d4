import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NODE_20, startCli, temporaryFolder } from "../support/processes.ts";
import { EVERY_LISTENER, slow, startBoth, startEdge, working } from "./support/bridge-process.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";
import { policyQuestion, WAY_NAMES } from "./support/ways.ts";

const SLOW = 180_000;
/** Longest time that a stop may take, ms. */
const STOP_TIMEOUT = 5_000;

describe("rollcall bridge", { timeout: SLOW }, () => {
  it("listens on its addresses, says that it is ready, answers, and stops at SIGTERM", async () => {
    const socket = join(temporaryFolder(), "socketmap");
    const { bridge } = await startBoth(working, [...EVERY_LISTENER, "--socketmap", `unix:${socket}`]);
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    for (const way of WAY_NAMES) {
      expect(await bridge.act(way, "user@example.com")).toBe("accept");
      expect(await bridge.act(way, "nobody@example.com")).toBe("refuse");
      expect(await bridge.act(way, "full@example.com")).toBe("defer");
    }
    expect(await bridge.send("line", "nobody@example.com\n")).toMatch(/^550 5\.1\.1 /);
    const domains = netstring("domains example.com") + netstring("domains example.org");
    expect(await askOnce({ kind: "unix", path: socket }, domains)).toBe("9:OK served,9:NOTFOUND ,");
    const began = performance.now();
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(STOP_TIMEOUT);
  });

  it("keeps its connection to the edge", async () => {
    const { edge, bridge } = await startBoth();
    for (let i = 0; i < 10; i++) expect(await bridge.act("line", `user${i}@example.com`)).toBe("accept");
    expect(edge.asked).toHaveLength(10);
    expect(edge.connections).toBe(1);
    await bridge.running.stop();
  });

  it.skipIf(NODE_20 === undefined)("runs on Node 20", async () => {
    const { bridge } = await startBoth(working, EVERY_LISTENER, { node: NODE_20 as string });
    for (const way of WAY_NAMES) expect(await bridge.act(way, "user@example.com")).toBe("accept");
    expect(await bridge.metrics()).toContain("rollcall_bridge_lookups_total");
    expect(await bridge.running.stop("SIGINT")).toMatchObject({ code: 0 });
  });

  it("answers what was asked before SIGTERM, and stops within five seconds although the edge hangs", async () => {
    const { edge, bridge } = await startBoth(slow(700));
    const client = await Client.connect(bridge.address("policy"));
    client.send(policyQuestion("user@example.com"));
    await edge.wasAsked(1);
    edge.behave = () => undefined;
    const hung = await Client.connect(bridge.address("line"));
    hung.send("user2@example.com\n");
    await edge.wasAsked(2);
    const began = performance.now();
    const stopped = bridge.running.stop();
    expect(await client.closed()).toBe("action=DUNNO\n\n");
    expect(await hung.closed()).toMatch(/^451 4\.3\.0 .*\n$/);
    expect(await stopped).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(STOP_TIMEOUT);
    for (const each of [client, hung]) each.leave();
  });

  it("answers at SIGHUP what was asked before", async () => {
    const { edge, bridge } = await startBoth(slow(500));
    const client = await Client.connect(bridge.address("line"));
    client.send("user@example.com\n");
    await edge.wasAsked(1);
    bridge.running.child.kill("SIGHUP");
    await bridge.running.logging(/"event":"reloaded"/);
    expect(await client.closed()).toMatch(/^250 /);
    client.leave();
    edge.behave = working;
    expect(await bridge.act("line", "user2@example.com")).toBe("accept");
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
  });

  it("prints its addresses as one document with --json", async () => {
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

describe("settings of the bridge", { timeout: SLOW }, () => {
  async function refused(
    toml: string | null,
    ...args: string[]
  ): Promise<{ code: number | null; stderr: string }> {
    const home = temporaryFolder();
    if (toml !== null) writeFileSync(join(home, "rollcall.toml"), toml);
    const env = { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "a-token" };
    const { code, stderr, stdout } = await startCli(["bridge", ...args], { home, env }).ended;
    expect(stdout).toBe("");
    return { code, stderr };
  }

  it("come from rollcall.toml, and a flag takes precedence", async () => {
    const home = temporaryFolder();
    const socket = join(home, "s");
    writeFileSync(
      join(home, "rollcall.toml"),
      `[bridge]\nsocketmap = ["127.0.0.1:0", "unix:${socket}"]\nline = "127.0.0.1:0"\nsocket_mode = "0600"\nlog_level = "silent"\n`,
    );
    const { bridge } = await startBoth(working, ["--socket-mode", "0666"], { home });
    expect(statSync(socket).mode & 0o777).toBe(0o666);
    expect(await bridge.act("line", "user@example.com")).toBe("accept");
    expect(await bridge.running.stop()).toMatchObject({ code: 0, stderr: "" });
  });

  it.each([
    ['socketmap = "0.0.0.0:25"', /rollcall\.toml:2: socketmap "0\.0\.0\.0:25" must be a loopback address/],
    ["line = [1]", /rollcall\.toml:2: line must be addresses/],
    ["timeout = 60", /rollcall\.toml:2: timeout must be a number from 0\.1 to 4/],
    ["cache_bytes = 1.5", /rollcall\.toml:2: cache_bytes must be a whole number from 65536/],
    ["socket_mode = 660", /rollcall\.toml:2: socket_mode must be an octal string such as "0660"/],
    ['log_level = "loud"', /rollcall\.toml:2: log_level must be one of debug, info/],
    ["accept_gracee = 1", /rollcall\.toml:2: .*accept_gracee.*socketmap, policy/],
  ])("that are wrong (%s) are named by file, line and key", async (line, pattern) => {
    const { code, stderr } = await refused(`[bridge]\n${line}\n`, "--line", "127.0.0.1:0");
    expect(stderr).toMatch(pattern);
    expect(code).toBe(3);
  });

  it.each([
    [["--line", "192.0.2.1:25"], /--line <address>.*It "192\.0\.2\.1:25" must be a loopback address/],
    [["--line", "127.0.0.1:0", "--timeout", "never"], /--timeout <time>.*It must be a number/],
    [["--metrics", "127.0.0.1:0"], /no listener is configured/],
    [[], /no listener is configured/],
  ])("that are wrong (%j) are named by flag", async (args, pattern) => {
    const { code, stderr } = await refused(null, ...args);
    expect(stderr).toMatch(pattern);
    expect(code).toBe(2);
  });

  it("beyond loopback are allowed with --allow-remote, wherever each of them stands", async () => {
    const home = temporaryFolder();
    const check = async (toml: string, ...args: string[]) => {
      writeFileSync(join(home, "rollcall.toml"), `[bridge]\n${toml}\n`);
      const env = { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "a-token" };
      return startCli(["bridge", "--check-config", ...args], { home, env }).ended;
    };
    const remote = 'socketmap = "192.0.2.1:10023"';
    const network = 'allow_remote = "192.0.2.0/24"';
    expect(await check(remote)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("--allow-remote CIDR"),
    });
    for (const [toml, ...args] of [
      [`${remote}\n${network}`],
      [remote, "--allow-remote", "192.0.2.0/24"],
      [network, "--metrics", "[::]:9", "--line", "127.0.0.1:0"],
    ] as [string, ...string[]][]) {
      expect(await check(toml, ...args)).toMatchObject({
        code: 0,
        stdout: "the settings are valid\n",
        stderr: "",
      });
    }
    expect(await check('allow_remote = ["192.0.2.0/33"]')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /rollcall\.toml:2: allow_remote "192\.0\.2\.0\/33" must have a prefix length/,
      ),
    });
  });

  it("are checked without listening by --check-config", async () => {
    const home = temporaryFolder();
    const env = { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "a-token" };
    // Another process listens there, as the bridge in use does.
    const { port } = new URL((await startEdge()).url);
    const args = ["bridge", "--check-config", "--json", "--line", `127.0.0.1:${port}`];
    const { code, stdout } = await startCli(args, { home, env }).ended;
    expect([code, JSON.parse(stdout)]).toEqual([0, { ok: true }]);
    const without = await startCli(args, { home, env: { ...env, ROLLCALL_TOKEN: "" } }).ended;
    expect(without.code).toBe(2);
    expect(JSON.parse(without.stdout).error).toMatchObject({ message: "no token is given", exit: 2 });
    const faulty = await refused("[bridge]\ntimeout = 9\n", "--check-config", "--line", "127.0.0.1:0");
    expect(faulty).toMatchObject({ code: 3, stderr: expect.stringMatching(/rollcall\.toml:2: timeout/) });
  });

  it("name a port that is in use", async () => {
    const { port } = new URL((await startEdge()).url);
    const { code, stderr } = await refused(null, "--line", "127.0.0.1:0", "--policy", `127.0.0.1:${port}`);
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: another process listens there`);
    expect(code).toBe(1);
  });
});

import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/processes.ts";
import { type BridgeProcess, slow, startBoth, startEdge, working } from "./support/bridge-process.ts";
import { askOnce, Client, netstring } from "./support/sockets.ts";

/*
 * SIGHUP reads the settings file again.
 */

const SLOW = 180_000;
const USER = netstring("access user@example.com");
const DUNNO = "8:OK DUNNO,";

/** Sends SIGHUP and waits for one more line of that event. */
async function reload(
  bridge: BridgeProcess,
  event: "reloaded" | "reload-failed" = "reloaded",
): Promise<string> {
  const { running } = bridge;
  const count = (): number => running.stderr.split(`"event":"${event}"`).length;
  const before = count();
  running.child.kill("SIGHUP");
  while (count() === before)
    await running.logging(new RegExp(`(?:"event":"${event}"[\\s\\S]*){${before},}\n`));
  return running.stderr.split("\n").findLast((line) => line.includes(`"event":"${event}"`)) as string;
}

async function start(behave = working) {
  const home = temporaryFolder();
  const file = join(home, "rollcall.toml");
  const [kept, other] = [join(home, "kept"), join(home, "other")];
  const write = (text: string): void => writeFileSync(file, `[bridge]\n${text}\n`);
  write(`socketmap = "unix:${kept}"`);
  const both = await startBoth(behave, [], { home });
  return { ...both, home, kept, other, write };
}

describe("SIGHUP", { timeout: SLOW }, () => {
  it("opens and closes listeners as the file says, and keeps those that did not change, with their clients", async () => {
    const { bridge, kept, other, write } = await start();
    const client = await Client.connect({ kind: "unix", path: kept });
    expect(await client.send(USER).told(/,$/)).toBe(DUNNO);
    write(`socketmap = ["unix:${kept}", "unix:${other}"]\nline = "127.0.0.1:0"`);
    const line = await reload(bridge);
    expect(JSON.parse(line).listeners).toEqual([
      `socketmap unix:${kept}`,
      `socketmap unix:${other}`,
      expect.stringMatching(/^line 127\.0\.0\.1:[1-9]\d*$/),
    ]);
    const gone = await Client.connect({ kind: "unix", path: other });
    expect(await gone.send(USER).told(/,$/)).toBe(DUNNO);
    write(`socketmap = "unix:${kept}"\nsocket_mode = "0600"`);
    await reload(bridge);
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    // Its listener was closed; it has all its replies.
    expect(await gone.closed()).toBe(DUNNO);
    expect(existsSync(other)).toBe(false);
    expect(await client.send(USER).told(/,.*,$/)).toBe(DUNNO + DUNNO);
    for (const each of [client, gone]) each.leave();
    expect(await bridge.running.stop()).toMatchObject({ code: 0 });
    expect(existsSync(kept)).toBe(false);
  });

  it("uses new values at once, keeps the cache, and answers questions under way over the old connection", async () => {
    const { bridge, edge, kept, write } = await start(slow(400));
    const at = { kind: "unix", path: kept } as const;
    expect(await askOnce(at, USER)).toBe(DUNNO);
    const client = await Client.connect(at);
    client.send(netstring("access user2@example.com"));
    await edge.wasAsked(2);
    write(`socketmap = "unix:${kept}"\ntimeout = 0.1\ncache_bytes = 100000\nlog_level = "debug"`);
    await reload(bridge);
    expect(await client.told(/,$/)).toBe(DUNNO);
    // The first answer is cached; a new question is deferred after the new time.
    expect(await askOnce(at, USER)).toBe(DUNNO);
    expect(edge.asked).toHaveLength(2);
    expect(await askOnce(at, netstring("access user3@example.com"))).toMatch(/^\d+:OK 451 4\.3\.0 /);
    client.leave();
    await bridge.running.stop();
  });

  it("asks another edge if the file names one", async () => {
    const home = temporaryFolder();
    const [first, second] = [await startEdge(), await startEdge()];
    const file = join(home, "rollcall.toml");
    const socket = join(home, "s");
    const write = (url: string): void =>
      writeFileSync(file, `url = "${url}"\n[bridge]\nsocketmap = "unix:${socket}"\n`);
    write(first.url);
    const { bridge } = await startBoth(working, [], { home, url: "" });
    const at = { kind: "unix", path: socket } as const;
    expect(await askOnce(at, USER)).toBe(DUNNO);
    write(second.url);
    await reload(bridge);
    expect(await askOnce(at, netstring("access user2@example.com"))).toBe(DUNNO);
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
    await bridge.running.stop();
  });

  it.each([
    ["timeout = 60", /rollcall\.toml:3: timeout must be a number from 0\.1 to 4/],
    ["socketmapp = 1", /rollcall\.toml:3: unknown setting socketmapp/],
    ["line = [", /rollcall\.toml:\d+: /],
    ['ca_file = "none.pem"', /rollcall\.toml:3: ca_file cannot be read: ENOENT/],
    ['line = "0.0.0.0:0"', /rollcall\.toml:3: line \\"0\.0\.0\.0:0\\" must be a loopback address/],
    ['line = "unix:/nowhere/at/all"', /cannot listen on unix:\/nowhere\/at\/all: the folder does not exist/],
  ])(
    "keeps the old settings if the new ones are wrong (%s), and names file, line and key",
    async (line, fault) => {
      const { bridge, kept, write } = await start();
      write(`socketmap = "unix:${kept}"\n${line}`);
      const logged = await reload(bridge, "reload-failed");
      expect(logged).toMatch(fault);
      expect(JSON.parse(logged).level).toBe("error");
      expect(await askOnce({ kind: "unix", path: kept }, USER)).toBe(DUNNO);
      write(`socketmap = "unix:${kept}"`);
      await reload(bridge);
      expect(await bridge.running.stop()).toMatchObject({ code: 0 });
    },
  );

  it("keeps the old settings if the file is gone and no flag names a listener", async () => {
    const { bridge, kept, home } = await start();
    rmSync(join(home, "rollcall.toml"));
    expect(await reload(bridge, "reload-failed")).toContain("no listener is configured");
    expect(await askOnce({ kind: "unix", path: kept }, USER)).toBe(DUNNO);
    await bridge.running.stop();
  });
});

describe("the token file", { timeout: SLOW }, () => {
  it("is read again at SIGHUP, and the next question uses the new token", async () => {
    const home = temporaryFolder();
    const token = join(home, "token");
    const seen: (string | undefined)[] = [];
    writeFileSync(token, "first-token\n");
    const { bridge } = await startBoth(
      (recipient, response, request) => {
        seen.push(request.headers.authorization);
        working(recipient, response, request);
      },
      ["--line", "127.0.0.1:0", "--token-file", token],
      { home },
    );
    await bridge.act("line", "user1@example.com");
    writeFileSync(token, "second-token\n");
    await reload(bridge);
    await bridge.running.logging(/"event":"token-replaced"/);
    await bridge.act("line", "user2@example.com");
    expect(seen).toEqual(["Bearer first-token", "Bearer second-token"]);
    writeFileSync(token, "");
    expect(await reload(bridge, "reload-failed")).toContain("no token is given");
    await bridge.act("line", "user3@example.com");
    expect(seen.at(-1)).toBe("Bearer second-token");
    await bridge.running.stop();
  });

  it("is found in $CREDENTIALS_DIRECTORY, where systemd puts it", async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, "token"), "a-credential\n");
    const seen: (string | undefined)[] = [];
    const { bridge } = await startBoth(
      (recipient, response, request) => {
        seen.push(request.headers.authorization);
        working(recipient, response, request);
      },
      ["--line", "127.0.0.1:0"],
      { home, token: "", env: { CREDENTIALS_DIRECTORY: home } },
    );
    expect(await bridge.act("line", "user@example.com")).toBe("accept");
    expect(seen).toEqual(["Bearer a-credential"]);
    await bridge.running.stop();
  });
});

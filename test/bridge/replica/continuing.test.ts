import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { pause, startCli, temporaryFolder } from "../../support/processes.ts";
import { isRunning, replace } from "../support/replacing.ts";
import { ReplicaBridge, startReplica, useRealEdge, WINDOW } from "./support.ts";

const SLOW = 180_000;
const [A, B] = ["a.example", "b.example"] as const;

describe("a bridge with a replica", { timeout: SLOW }, () => {
  const edge = useRealEdge();
  let token: string;

  beforeAll(async () => {
    await edge.publish(A, ["alice", "bob"]);
    await edge.publish(B, ["carol", "dave"]);
    token = await edge.token(A, B);
  }, SLOW);

  it("leaves its folder to the process that replaces it", async () => {
    const folder = join(temporaryFolder(), "replica");
    const bridge = await startReplica(edge, token, folder);
    await bridge.logged("replica-ready", { domain: A });
    await bridge.logged("replica-ready", { domain: B });
    const pid = await replace(bridge.running);
    while (bridge.running.child.exitCode === null) await pause(10);
    expect(await bridge.reply(`alice@${A}`)).toMatch(/^250/);
    // The new process takes the lock with one of its next polls.
    const holder = (): number =>
      existsSync(join(folder, "lock"))
        ? (JSON.parse(readFileSync(join(folder, "lock"), "utf8")) as { pid: number }).pid
        : 0;
    while (holder() !== pid) await pause(100);
    expect(await bridge.said(`nobody@${A}`)).toBe("550 replica");
    expect(bridge.log.filter(({ level }) => level === "error")).toEqual([]);
    process.kill(pid, "SIGTERM");
    while (isRunning(pid)) await pause(20);
    expect(holder()).toBe(0);
  });

  it("leaves to the edge what a new token does not cover, and tells of settings that wait for a restart", async () => {
    const home = temporaryFolder();
    const write = (name: string, text: string): void =>
      writeFileSync(join(home, name), text, { mode: 0o600 });
    const settings = 'line = "127.0.0.1:0"\nmetrics = "127.0.0.1:0"\nreplica = "lists"\n';
    write("rollcall.toml", `[bridge]\n${settings}`);
    write("token", token);
    const args = ["bridge", "--url", edge.url, "--token-file", "token"];
    const running = startCli(args, { home });
    await running.saying(/\bready\b.*\n/);
    const bridge = new ReplicaBridge(running);
    await bridge.logged("replica-ready", { domain: B });
    await bridge.reply(`carol@${B}`);
    expect(await bridge.said(`carol@${B}`)).toBe("250 replica");
    expect(existsSync(join(home, "lists", "format"))).toBe(true);

    write("token", await edge.token(A));
    write("rollcall.toml", `[bridge]\n${settings}domain = "${A}"\n`);
    running.child.kill("SIGHUP");
    await bridge.logged("reloaded");
    await bridge.logged("replica-unchanged");
    while ((await bridge.said(`carol@${B}`)) === "250 replica") await pause(100);
    // Neither refused nor accepted from a list that this token does not keep up to date.
    await edge.publish(B, ["carol", "dave", "newcomer"]);
    await pause(1_000 * WINDOW);
    expect(await bridge.reply(`newcomer@${B}`)).toMatch(/^451/);
    expect(existsSync(join(home, "lists", "manifests", B))).toBe(false);
    expect(await bridge.said(`alice@${A}`)).toBe("250 replica");
    await running.stop();
  });
});

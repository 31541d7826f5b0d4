import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NODE_20, pause, startCli, temporaryFolder } from "../../support/processes.ts";
import { Client, netstring } from "../support/sockets.ts";
import { startReplica, useRealEdge } from "./support.ts";

const SLOW = 180_000;

describe("rollcall bridge --replica", () => {
  const edge = useRealEdge();

  it("answers from its own lists, and asks the edge outside its scope", { timeout: SLOW }, async () => {
    await edge.publish("in.example", ["alice", "bob"]);
    await edge.publish("out.example", ["carol"]);
    const folder = join(temporaryFolder(), "replica");
    const bridge = await startReplica(edge, await edge.token("in.example", "out.example"), folder, [
      "--domain",
      "in.example",
    ]);
    await bridge.logged("replica-ready", { domain: "in.example" });
    await bridge.reply("alice@in.example");
    expect(await bridge.said("alice@in.example")).toBe("250 replica");
    expect(await bridge.said("nobody@in.example")).toBe("550 replica");
    expect(await bridge.said("carol@out.example")).toBe("250 edge");
    expect(await bridge.said("nobody@out.example")).toBe("550 edge");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "keys/in.example/1")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(folder, "keys/out.example"))).toBe(false);
    expect((await bridge.running.stop()).code).toBe(0);
  });

  it.skipIf(NODE_20 === undefined)(
    "works on Node 20, and continues there from its folder",
    { timeout: SLOW },
    async () => {
      await edge.publish("old.example", ["alice"]);
      const folder = join(temporaryFolder(), "replica");
      const token = await edge.token("old.example");
      for (let start = 0; start < 2; start++) {
        const bridge = await startReplica(edge, token, folder, [], NODE_20);
        await bridge.logged("replica-ready");
        while ((await bridge.said("alice@old.example")) !== "250 replica");
        while ((await bridge.said("nobody@old.example")) !== "550 replica");
        expect((await bridge.running.stop()).code).toBe(0);
      }
    },
  );

  it("answers a dictionary attack without a request to the edge", { timeout: SLOW }, async () => {
    await edge.publish("attacked.example", ["alice"]);
    const folder = join(temporaryFolder(), "replica");
    const bridge = await startReplica(edge, await edge.token("attacked.example"), folder);
    await bridge.logged("replica-ready");
    while ((await bridge.said("alice@attacked.example")) !== "250 replica");
    const requests = async (): Promise<string | undefined> =>
      /^rollcall_bridge_edge_requests_total (\d+)$/m.exec(await bridge.metrics())?.[1];
    const before = await requests();
    const client = await Client.connect(bridge.address("socketmap"));
    for (let i = 0; i < 5_000; i++) client.send(netstring(`recipients guess${i}@attacked.example`));
    const replies = await client.told(/(?:\d+:NOTFOUND ,){5000}/);
    expect(replies).toHaveLength(5_000 * "9:NOTFOUND ,".length);
    expect(await requests()).toBe(before);
    // The Registry learns of the answers with the polls.
    while (!(await edge.run("status", "--json")).includes("5000")) await pause(200);
    expect(await bridge.metrics()).toMatch(
      /^rollcall_bridge_replica_age_seconds\{domain="attacked\.example"\} [0-9.]+$/m,
    );
    await bridge.running.stop();
  });

  it("says what is wrong with its settings", { timeout: SLOW }, async () => {
    const home = temporaryFolder();
    const start = (...args: string[]) =>
      startCli(["bridge", "--line", "127.0.0.1:0", ...args], {
        home,
        env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "t" },
      }).ended;
    expect(await start("--replica", "lists", "--domain", "not a domain")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It must be domain names, and "not a domain" is not one.') as string,
    });
    writeFileSync(join(home, "file"), "");
    expect(await start("--replica", "file")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("check the path and its permissions") as string,
    });
    mkdirSync(join(home, "mail"));
    writeFileSync(join(home, "mail", "passwd"), "");
    expect(await start("--replica", "mail")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has other files, such as passwd") as string,
    });
  });
});

/* A Registry whose storage is restored to an earlier time, and a bridge whose replica has seen what it lost. */

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FULL, ifFull } from "../../support/full.ts";
import { pause, temporaryFolder } from "../../support/processes.ts";
import { startReplica, useRealEdge, WINDOW } from "./support.ts";

const DOMAIN = "a.example";
const LATER = "later.example";
const edge = useRealEdge();

it.runIf(FULL)(
  ifFull("answers truly or defers before `rollcall registry restored`, and truly by itself a window after"),
  async () => {
    const objects = join(edge.home, "state", "v3", "do");
    const copy = join(temporaryFolder(), "do");
    const mailbox = (local: string): string => `${local}@${DOMAIN}`;
    const existing = ["alice", "carol"].map(mailbox);

    await edge.publish(DOMAIN, ["alice", "leaver"]);
    const token = await edge.token(DOMAIN);
    await edge.stop();
    cpSync(objects, copy, { recursive: true });
    await edge.start();
    await edge.publish(DOMAIN, ["alice", "carol"]);
    await edge.publish(LATER, ["dave"]);
    const bridge = await startReplica(edge, token, join(temporaryFolder(), "replica"));
    await bridge.comesToSay(mailbox("nobody"), "550 replica", /^250/);
    for (const each of existing) await bridge.comesToSay(each, "250 replica", /^5/);
    // KV's roster names the later domain by then.
    while ((await edge.run("status")).includes("wait to be copied to KV")) await pause(200);

    await edge.stop();
    rmSync(objects, { recursive: true });
    cpSync(copy, objects, { recursive: true });
    await edge.start({ ROLLCALL_PAUSED: "true" });
    await bridge.logged("replica-unconfirmed");
    await bridge.comesToSay(mailbox("nobody"), "451 edge", /^250/);
    const isTrueOrDeferred = async (): Promise<void> => {
      for (const each of existing) expect(await bridge.said(each)).toMatch(/^(250|451)/);
      for (const each of ["nobody", "stranger"]) expect(await bridge.said(mailbox(each))).toMatch(/^451/);
    };
    await isTrueOrDeferred();

    expect(await edge.run("status")).toContain("Registry 0 is paused");
    const unconfirmed = await edge.try("registry", "restored");
    expect(unconfirmed).toMatchObject({ code: 5, stderr: expect.stringContaining("--yes") });
    expect(await edge.try("registry", "restored", "--partition", "7", "--yes")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("there is no partition 7"),
    });
    expect(await edge.try("registry", "restored", "--yes")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("continued partition 0: 1 list, "),
      stderr: expect.stringContaining(`${LATER} was published or deleted since: publish it`),
    });
    await isTrueOrDeferred();
    await edge.publish(LATER, ["dave"]);
    await edge.publish(DOMAIN, ["alice", "carol"]);
    await isTrueOrDeferred();

    await edge.stop();
    await edge.start();
    expect(await edge.try("registry", "restored", "--yes")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("partition 0 is not paused"),
    });
    const from = performance.now();
    // Whom the lost generations accepted is not known: nobody is refused for a day.
    const others = [await bridge.comesToSay(mailbox("nobody"), "450 replica", /^[25]/)];
    for (const each of existing) others.push(await bridge.comesToSay(each, "250 replica", /^5/));
    // One window, and what a poll may wait after a failed one.
    expect(Math.max(...others) - from).toBeLessThan(1000 * (2 * WINDOW));
    expect(await edge.run("status", DOMAIN)).toMatch(/refuses nobody until \d{4}-/);
    expect(await edge.run("history", DOMAIN)).toMatch(/restored from generation 1/);
    expect((await bridge.running.stop()).code).toBe(0);
  },
);

/* `rollcall replica forget`, on folders as a bridge leaves them. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { lockFolder } from "../../src/bridge/index.ts";
import { openFolder } from "../../src/bridge/replica/disk/folder.ts";
import { knownLogs } from "../../src/bridge/replica/known.ts";
import { ReplicaStore } from "../../src/bridge/replica/store.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { rollcall, type Said } from "../support/fake-platform.ts";
import { temporaryFolder } from "../support/processes.ts";

const INCARNATION = Date.UTC(2026, 5, 1);
const observer = { unwritable: () => undefined, written: () => undefined, unusable: () => undefined };

let cwd: string;
let folder: string;

beforeEach(async () => {
  cwd = temporaryFolder();
  folder = join(cwd, "replica");
  const opened = await openFolder(folder, { pid: process.pid, isRunning: () => true });
  if ("format" in opened) throw new Error("a folder of another format");
  const store = new ReplicaStore(opened.folder.disk, stablelibHashing, 0, observer);
  await store.putSettings({ partitions: 2, window: 30_000 });
  for (const partition of [0, 1])
    await store.putLog(partition, {
      incarnation: INCARNATION,
      number: 40 + partition,
      heads: [["a.example", 7]],
    });
  await store.putManifest("a.example", new Uint8Array(3));
  await store.putTime({ registry: 1, wall: 1, uptime: null, contacts: [null] });
  await opened.folder.release();
});

const run = (args: string, answer?: string): Promise<Said> =>
  rollcall(["replica", "forget", ...args.split(" ").filter(Boolean)], {
    cwd,
    ...(answer === undefined ? {} : { answer }),
    isRunning: (pid) => pid === process.ppid,
  });

describe("rollcall replica forget", () => {
  it("shows what the folder knows, asks, and removes all of it", async () => {
    expect(await run("--replica replica")).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await run("--replica replica", "n")).toMatchObject({ code: 5 });
    expect(await knownLogs(folder, stablelibHashing)).toHaveLength(2);
    const said = await run("--replica replica", "y");
    expect(said).toMatchObject({ code: 0, asked: [expect.stringContaining("another Registry")] });
    expect(said.stdout).toContain("partition 1  log of 2026-06-01");
    expect(said.stdout).toContain("newest number 41, 1 domain");
    expect(readdirSync(folder)).toEqual(["format"]);
    expect(await knownLogs(folder, stablelibHashing)).toEqual([]);
    expect(await run("--replica replica --yes")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("It knows no log"),
    });
  });

  it("finds the folder in the settings, from where they are", async () => {
    writeFileSync(join(cwd, "rollcall.toml"), '[bridge]\nreplica = "replica"\n');
    expect(await run("--yes")).toMatchObject({ code: 0, stdout: expect.stringContaining(folder) });
    expect(readdirSync(folder)).toEqual(["format"]);
  });

  it("removes nothing while a bridge uses the folder", async () => {
    const bridge = { pid: process.ppid, isRunning: () => true };
    expect((await lockFolder(folder, bridge)).kind).toBe("held");
    const said = await run("--replica replica --yes");
    expect(said).toMatchObject({ code: 1, stderr: expect.stringContaining("stop that bridge") });
    expect(await knownLogs(folder, stablelibHashing)).toHaveLength(2);
  });

  it("removes nothing of a folder that is no replica's, or of a newer release", async () => {
    writeFileSync(join(cwd, "mail"), "");
    expect(await run("--replica .  --yes")).toMatchObject({ code: 3 });
    expect(await run("--replica nowhere --yes")).toMatchObject({ code: 3 });
    expect(await run("--yes")).toMatchObject({ code: 2, stderr: expect.stringContaining("--replica") });
    writeFileSync(join(folder, "format"), "rollcall-replica 2\n");
    expect(await run("--replica replica --yes")).toMatchObject({ code: 1 });
    expect(readdirSync(join(folder, "logs"))).toEqual(["0", "1"]);
  });
});

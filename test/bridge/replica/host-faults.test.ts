import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FULL, ifFull } from "../../support/full.ts";
import { pause, startCli, temporaryFolder } from "../../support/processes.ts";
import { type ReplicaBridge, startReplica, useRealEdge, WINDOW } from "./support.ts";

const DOMAIN = "a.example";
const ALICE = `alice@${DOMAIN}`;
const NOBODY = `nobody@${DOMAIN}`;
/** More than fit into a manifest, so that there are blobs. */
const NAMES = ["alice", ...Array.from({ length: 40_000 }, (_, i) => `user${i}`)];

/** At which a process is killed. */
const POINTS = FULL ? 100 : 4;

const isRoot = process.getuid?.() === 0;
const mounts: string[] = [];

/** Mounts a file system of its own. @returns its folder */
function mount(...options: string[]): string {
  const folder = join(temporaryFolder(), "mount");
  mkdirSync(folder);
  execFileSync("mount", [...options, folder]);
  mounts.push(folder);
  return folder;
}

const canMount = isRoot && mountWorks();

function mountWorks(): boolean {
  try {
    execFileSync("umount", [mount("-t", "tmpfs", "-o", "size=64k", "tmpfs")], { stdio: "ignore" });
    mounts.pop();
    return true;
  } catch {
    return false;
  }
}

afterAll(() => {
  for (const folder of mounts) execFileSync("umount", ["--lazy", folder]);
});

const within = (seconds: number): Promise<undefined> => pause(1000 * seconds);

describe("a bridge with a replica", () => {
  const edge = useRealEdge();
  let token: string;

  beforeAll(async () => {
    await edge.publish(DOMAIN, NAMES);
    token = await edge.token(DOMAIN);
  });

  const start = (folder: string): Promise<ReplicaBridge> => startReplica(edge, token, folder);

  async function startWhole(folder = join(temporaryFolder(), "replica")): Promise<ReplicaBridge> {
    const bridge = await start(folder);
    await bridge.logged("replica-ready", { domain: DOMAIN });
    await bridge.comesToSay(NOBODY, "550 replica");
    await bridge.comesToSay(ALICE, "250 replica");
    return bridge;
  }

  it("accepts after a reboot while the edge is away, and refuses a window after it is back", async () => {
    const folder = join(temporaryFolder(), "replica");
    await (await startWhole(folder)).running.stop();
    await edge.stop();
    const bridge = await start(folder);
    expect((await bridge.reply(ALICE)).slice(0, 3)).toBe("250");
    expect((await bridge.reply(NOBODY)).slice(0, 9)).toBe("451 4.3.0");
    await bridge.logged("replica-unconfirmed", { fault: "unreachable" });
    expect(await bridge.said(ALICE)).toBe("250 replica");
    expect((await bridge.reply(NOBODY)).slice(0, 9)).toBe("451 4.3.0");
    await edge.start();
    const backAt = performance.now();
    // The breaker's probe asks the edge; only the replica's own refusal counts here.
    expect((await bridge.comesToSay(NOBODY, "550 replica")) - backAt).toBeLessThan(1000 * (WINDOW + 2));
    await bridge.logged("replica-confirmed");
    await bridge.running.stop();
  });

  it(`gives true verdicts after kill -9 at ${POINTS} points of a sync`, async () => {
    const big = "big.example";
    const names = Array.from({ length: 120_000 }, (_, i) => `user${i}`);
    await edge.publish(big, names);
    const bigToken = await edge.token(big);
    const folder = join(temporaryFolder(), "replica");
    const blobs = (): number => namesIn(join(folder, "blobs", big)).length;
    let partly = 0;
    for (let point = 0; point < POINTS; point++) {
      // Every fourth sync begins with nothing; the others continue where the one before was killed.
      if (point % 4 === 0) rmSync(folder, { recursive: true, force: true });
      const before = blobs();
      const running = startCli(["bridge", "--line", "127.0.0.1:0", "--replica", folder], {
        home: temporaryFolder(),
        env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: bigToken },
      });
      const isWhole = (): boolean => existsSync(join(folder, "manifests", big));
      while (blobs() < before + 1 + (point % 5) && !isWhole()) await pause(0);
      running.child.kill("SIGKILL");
      await running.ended;
      if (!isWhole()) partly++;
    }
    expect(partly).toBeGreaterThan(POINTS / 2);
    const bridge = await startReplica(edge, bigToken, folder);
    await bridge.logged("replica-ready", { domain: big });
    await bridge.comesToSay(`nobody@${big}`, "550 replica");
    for (const name of names.filter((_, i) => i % 2_000 === 0)) {
      expect(await bridge.reply(`${name}@${big}`)).toMatch(/^250/);
      expect(await bridge.reply(`no-${name}@${big}`)).toMatch(/^550/);
    }
    expect((await bridge.sources()).get("replica")).toBeGreaterThanOrEqual(100);
    await bridge.running.stop();
  });

  it("says that another bridge uses its folder, and stops", async () => {
    const folder = join(temporaryFolder(), "replica");
    const bridge = await startWhole(folder);
    const second = startCli(["bridge", "--line", "127.0.0.1:0", "--replica", folder], {
      home: temporaryFolder(),
      env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: token },
    });
    const { code, stderr } = await second.ended;
    expect(code).toBe(1);
    expect(stderr).toContain(`another bridge (process ${bridge.running.child.pid}) uses ${folder}`);
    expect(stderr).toContain("give this one a folder of its own");
    expect(await bridge.said(ALICE)).toBe("250 replica");
    bridge.running.child.kill("SIGKILL");
    await bridge.running.ended;
    // The lock of a process that was killed does not count.
    await (await startWhole(folder)).running.stop();
  });

  it("leaves a folder of a newer release alone, says so, and asks the edge", async () => {
    const folder = join(temporaryFolder(), "replica");
    await (await startWhole(folder)).running.stop();
    writeFileSync(join(folder, "format"), "rollcall-replica 2\n");
    const bridge = await start(folder);
    await bridge.logged("replica-newer-format", { format: 2 });
    expect(await bridge.said(ALICE)).toBe("250 edge");
    expect(await bridge.said(NOBODY)).toBe("550 edge");
    await bridge.running.stop();
  });

  it("fetches everything again if its folder is deleted while it runs", async () => {
    const folder = join(temporaryFolder(), "replica");
    const bridge = await start(folder);
    await bridge.logged("replica-ready", { domain: DOMAIN });
    rmSync(folder, { recursive: true });
    // No shard is in memory yet.
    expect((await bridge.reply(NOBODY)).slice(0, 3)).toMatch(/550|451/);
    await bridge.comesToSay(NOBODY, "550 replica");
    await bridge.comesToSay(ALICE, "250 replica");
    await bridge.logged("replica-missing", { domain: DOMAIN });
    await within(WINDOW);
    expect(readFileSync(join(folder, "format"), "utf8")).toBe("rollcall-replica 1\n");
    expect(existsSync(join(folder, "lock"))).toBe(true);
    expect(existsSync(join(folder, "logs", "0"))).toBe(true);
    expect(existsSync(join(folder, "manifests", DOMAIN))).toBe(true);
    await bridge.running.stop();
    await (await startWhole(folder)).running.stop();
  });

  const withFlippedBit = async (kind: string): Promise<void> => {
    const folder = join(temporaryFolder(), "replica");
    const first = await startWhole(folder);
    first.running.child.kill("SIGKILL");
    await first.running.ended;
    for (const path of filesUnder(folder).filter((name) => name.startsWith(kind))) {
      const bytes = readFileSync(join(folder, path));
      const at = bytes.length >> 1;
      bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(join(folder, path), bytes);
    }
    const bridge = await start(folder);
    for (let i = 0; i < 5; i++) {
      expect((await bridge.reply(NOBODY)).slice(0, 3)).toMatch(/550|451/);
      expect((await bridge.reply(ALICE)).slice(0, 3)).toMatch(/250|451/);
    }
    await bridge.comesToSay(NOBODY, "550 replica");
    await bridge.comesToSay(ALICE, "250 replica");
    const told = bridge.log.map(({ event }) => event);
    const expected: Readonly<Record<string, string>> = {
      keys: "replica-unusable",
      blobs: "replica-missing",
      settings: "replica-unusable",
      time: "replica-unusable",
      logs: "replica-unusable",
    };
    if (expected[kind] !== undefined) expect(told).toContain(expected[kind]);
    await bridge.running.stop();
  };
  // At the same time: each has a folder and bridges of its own, and most of it is waiting.
  // Each file of a folder is damaged in disk-faults.test.ts, too, without processes.
  it.concurrent.each(["manifests", "blobs"])("gives true verdicts with a bit flipped in %s", withFlippedBit);
  (FULL ? it.concurrent : it.skip).each(["format", "lock", "settings", "time", "logs", "keys"])(
    ifFull("gives true verdicts with a bit flipped in %s"),
    withFlippedBit,
  );

  it.skipIf(!canMount)("answers from memory with a folder that is read-only, and says so", async () => {
    const folder = mount("-t", "tmpfs", "-o", "size=16m", "tmpfs");
    await (await startWhole(join(folder, "replica"))).running.stop();
    execFileSync("mount", ["-o", "remount,ro", folder]);
    const bridge = await startWhole(join(folder, "replica"));
    await bridge.logged("replica-unwritable", { code: "EROFS" });
    await edge.publish(DOMAIN, [...NAMES, "newcomer"]);
    await bridge.comesToSay(`newcomer@${DOMAIN}`, "250 replica");
    expect(await bridge.metrics()).toContain("\nrollcall_bridge_replica_unwritable 1\n");
    execFileSync("mount", ["-o", "remount,rw", folder]);
    await bridge.logged("replica-written");
    expect(await bridge.metrics()).toContain("\nrollcall_bridge_replica_unwritable 0\n");
    await bridge.running.stop();
  });

  it.skipIf(!canMount)("answers from memory with a folder that is full, and says so", async () => {
    const folder = mount("-t", "tmpfs", "-o", "size=128k", "tmpfs");
    const bridge = await startWhole(join(folder, "replica"));
    await bridge.logged("replica-unwritable", { code: "ENOSPC" });
    expect(await bridge.metrics()).toMatch(/^rollcall_bridge_replica_unwritten_bytes [1-9]/m);
    execFileSync("mount", ["-o", "remount,size=16m", folder]);
    await bridge.logged("replica-written");
    await bridge.running.stop();
    await (await startWhole(join(folder, "replica"))).running.stop();
  });
});

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

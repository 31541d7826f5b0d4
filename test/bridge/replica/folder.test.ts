import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FolderError, openFolder, type ReplicaFolder } from "../../../src/bridge/replica/disk/folder.ts";
import { lockFolder } from "../../../src/bridge/replica/disk/lock.ts";
import { NodeDisk } from "../../../src/bridge/replica/disk/node-disk.ts";
import { seal, unseal } from "../../../src/bridge/replica/sealed.ts";
import { utf8 } from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { temporaryFolder } from "../../support/folders.ts";

const me = { pid: process.pid, isRunning: () => true };
/** A process that runs as long as this test: the one that started it. */
const other = { pid: process.ppid, isRunning: () => true };

const fresh = (): string => join(temporaryFolder(), "replica");

async function open(path: string): Promise<ReplicaFolder> {
  const opened = await openFolder(path, me);
  if (!("folder" in opened)) throw new Error(`format ${opened.format}`);
  return opened.folder;
}

describe("a disk", () => {
  it("writes whole files with mode 0600 in folders with mode 0700, and leaves nothing else", async () => {
    const root = fresh();
    const disk = new NodeDisk(root);
    await disk.write("a/b/c", utf8("one"));
    await disk.write("a/b/c", utf8("two"));
    await disk.flush("a/b");
    expect(await disk.read("a/b/c")).toEqual(Buffer.from("two"));
    expect(readdirSync(join(root, "a/b"))).toEqual(["c"]);
    expect(statSync(join(root, "a/b/c")).mode & 0o777).toBe(0o600);
    for (const folder of [root, join(root, "a"), join(root, "a/b")]) {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
  });

  it("flushes a file before it has its name, and the names of a folder when asked", async () => {
    const root = fresh();
    const disk = new NodeDisk(root);
    const handle = await openFile(import.meta.filename);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const { sync } = prototype;
    const seen: string[][] = [];
    prototype.sync = function (this: FileHandle) {
      seen.push(readdirSync(join(root, "a")));
      return sync.call(this);
    };
    try {
      await disk.write("a/b", utf8("one"));
      expect(seen).toEqual([[expect.stringMatching(/^\.new-/)]]);
      await disk.flush("a");
      expect(seen.slice(1)).toEqual([["b"]]);
    } finally {
      prototype.sync = sync;
    }
  });

  it("has no file and no names where there is no folder", async () => {
    const disk = new NodeDisk(fresh());
    expect(await disk.read("a/b")).toBeNull();
    expect(await disk.list("a")).toEqual([]);
    await disk.remove("a");
  });

  it("fails to read what is no file, and removes a file that it could not write whole", async () => {
    const root = fresh();
    const disk = new NodeDisk(root);
    mkdirSync(join(root, "a/file/inside"), { recursive: true });
    await expect(disk.read("a/file")).rejects.toThrow(/EISDIR/);
    writeFileSync(join(root, "a/huge"), "");
    truncateSync(join(root, "a/huge"), 2 ** 40);
    await expect(disk.read("a/huge")).rejects.toThrow(/more than any file of a replica/);
    await expect(disk.write("a/file", utf8("x"))).rejects.toThrow();
    expect(readdirSync(join(root, "a"))).toEqual(["file", "huge"]);
  });
});

describe("a sealed file", () => {
  const path = "logs/0";
  const bytes = seal(stablelibHashing, path, { number: 7 });

  it("is read under its own path, and under no other", () => {
    expect(unseal(stablelibHashing, path, bytes)).toEqual({ number: 7 });
    expect(unseal(stablelibHashing, "logs/1", bytes)).toBeUndefined();
  });

  it("is not read with any bit flipped, or with any part missing", () => {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const spoiled = bytes.slice();
      spoiled[bit >> 3] = (spoiled[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, unseal(stablelibHashing, path, spoiled)]).toEqual([bit, undefined]);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect([length, unseal(stablelibHashing, path, bytes.slice(0, length))]).toEqual([length, undefined]);
    }
  });
});

describe("the lock of a folder", () => {
  it("can be read by the folder's owner, also if root holds it", {
    skip: process.getuid?.() !== 0,
  }, async () => {
    const path = temporaryFolder();
    chownSync(path, 65_534, 65_534);
    await lockFolder(path, me);
    expect(statSync(join(path, "lock"))).toMatchObject({ uid: 65_534, gid: 65_534 });
  });

  it("is held by one process at a time, and free after it", async () => {
    const path = fresh();
    const first = await lockFolder(path, other);
    expect(first.kind).toBe("held");
    expect(await lockFolder(path, me)).toEqual({ kind: "busy", pid: other.pid });
    if (first.kind === "held") await first.release();
    expect((await lockFolder(path, me)).kind).toBe("held");
    expect(readdirSync(path)).toEqual(["lock"]);
  });

  it("does not count if its process has ended", async () => {
    const path = fresh();
    await lockFolder(path, other);
    expect((await lockFolder(path, { ...me, isRunning: () => false })).kind).toBe("held");
  });

  it("does not count if its process was killed and nobody has taken note of it yet", async () => {
    // The shell becomes `sleep`, which does not wait for the child of the shell; only then does the child end.
    const script = "exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 60";
    const parent = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
    const [bytes] = (await once(parent.stdout, "data")) as [Buffer];
    const killed = Number(bytes.toString());
    const waits = () => new Promise((resolve) => setImmediate(resolve));
    while (readFileSync(`/proc/${parent.pid}/comm`, "utf8") !== "sleep\n") await waits();
    parent.stdin.end();
    while (!/\) Z /.test(readFileSync(`/proc/${killed}/stat`, "utf8"))) await waits();
    const isRunning = (pid: number): boolean => process.kill(pid, 0);
    expect(isRunning(killed)).toBe(true);
    const path = fresh();
    await lockFolder(path, { pid: killed, isRunning });
    expect((await lockFolder(path, { ...me, isRunning })).kind).toBe("held");
    parent.kill();
  });

  it("does not count if its process id belongs to another process by now, or its host has started again", async () => {
    for (const change of [{ started: "1" }, { boot: "another boot" }]) {
      const path = fresh();
      await lockFolder(path, other);
      const lock = JSON.parse(readFileSync(join(path, "lock"), "utf8")) as object;
      writeFileSync(join(path, "lock"), JSON.stringify({ ...lock, ...change }));
      expect((await lockFolder(path, me)).kind).toBe("held");
    }
  });

  it.each(["", "{", "null", '{"pid":"x"}'])("does not count if it says %j", async (text) => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, "lock"), text);
    expect((await lockFolder(path, me)).kind).toBe("held");
  });

  it("is taken by one of many processes that find it left behind", async () => {
    // Many times, since what matters is the order in which they find it.
    for (let round = 0; round < 50; round++) {
      const path = fresh();
      await lockFolder(path, other);
      const owners = Array.from({ length: 8 }, (_, i) => ({
        pid: 1_000_000 + i,
        isRunning: (pid: number) => pid >= 1_000_000,
      }));
      const results = await Promise.all(owners.map((owner) => lockFolder(path, owner)));
      expect(results.filter(({ kind }) => kind === "held")).toHaveLength(1);
      expect(readdirSync(path)).toEqual(["lock"]);
    }
  });

  it.each(["", '{"pid":1000000}'])(
    "is taken although a process ended while it removed one (%j)",
    async (text) => {
      const path = fresh();
      await lockFolder(path, other);
      writeFileSync(join(path, "lock.removal"), text);
      expect((await lockFolder(path, { ...me, isRunning: () => false })).kind).toBe("held");
      expect(readdirSync(path)).toEqual(["lock"]);
    },
  );
});

describe("a replica's folder", () => {
  it("is made with mode 0700 and says its format", async () => {
    const path = fresh();
    const folder = await open(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(path, "format"), "utf8")).toBe("rollcall-replica 1\n");
    await folder.release();
    expect(existsSync(join(path, "lock"))).toBe(false);
  });

  it("is closed to others if it was open to them", async () => {
    const path = fresh();
    mkdirSync(path);
    chmodSync(path, 0o755);
    await open(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it("is refused while another bridge uses it, unless this one replaces that bridge", async () => {
    const path = fresh();
    await openFolder(path, other);
    await expect(openFolder(path, me)).rejects.toThrow(`another bridge (process ${other.pid}) uses ${path}`);
    const opened = await openFolder(path, me, other.pid);
    expect(opened).toMatchObject({ fault: { kind: "busy", pid: other.pid } });
  });

  it("may have what another bridge wrote once that has left it", async () => {
    const path = fresh();
    const first = await openFolder(path, other);
    const opened = await openFolder(path, me, other.pid);
    if (!("folder" in first && "folder" in opened)) throw new Error("a newer format");
    await first.folder.release();
    expect(await opened.folder.check()).toBeNull();
    expect([opened.folder.wasLost(), opened.folder.wasLost()]).toEqual([true, false]);
  });

  it("is refused if it has files of something else", async () => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, "passwd"), "x");
    const opened = openFolder(path, me);
    await expect(opened).rejects.toThrow(FolderError);
    await expect(opened).rejects.toThrow(/passwd/);
    expect(readdirSync(path)).toEqual(["passwd"]);
    await expect(openFolder(join(path, "passwd"), me)).rejects.toThrow(/ENOTDIR/);
  });

  it("with all that a replica stores is one, also if its format cannot be read", async () => {
    const path = fresh();

    mkdirSync(path);
    for (const name of ["format", "settings", "time", "seen", "logs", "keys", "manifests", "blobs"])
      writeFileSync(join(path, name), "");
    await expect(openFolder(path, me)).resolves.toMatchObject({ fault: null });
  });

  it("of a newer format is not touched", async () => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, "format"), "rollcall-replica 2\n");
    writeFileSync(join(path, "something-new"), "");
    expect(await openFolder(path, me)).toEqual({ format: 2 });
    expect(readdirSync(path).sort()).toEqual(["format", "something-new"]);
  });

  it("is made again if it was deleted, and its lock is kept", async () => {
    const path = fresh();
    const folder = await open(path);
    expect(await folder.check()).toBeNull();
    expect(folder.wasLost()).toBe(false);
    rmSync(path, { recursive: true });
    expect(await folder.check()).toBeNull();
    expect(readdirSync(path).sort()).toEqual(["format", "lock"]);
    expect([folder.wasLost(), folder.wasLost()]).toEqual([true, false]);
    renameSync(path, `${path}.away`);
    await openFolder(path, other);
    expect(await folder.check()).toEqual({ kind: "busy", pid: other.pid });
  });

  it("loses what an interrupted write left behind", async () => {
    const path = fresh();
    await (await open(path)).release();
    mkdirSync(join(path, "manifests"));
    for (const name of [".new-1", "manifests/.new-2", "manifests/a.example"])
      writeFileSync(join(path, name), "");
    await open(path);
    expect(readdirSync(path).sort()).toEqual(["format", "lock", "manifests"]);
    expect(readdirSync(join(path, "manifests"))).toEqual(["a.example"]);
  });
});

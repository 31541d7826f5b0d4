/* What a replica stores survives a power failure whole: a manifest with all that it names. */
import { expect, it } from "vitest";
import { ReplicaStore } from "../../../src/bridge/replica/store.ts";
import { StoreFullError, WaitingFiles } from "../../../src/bridge/replica/waiting-files.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { MemoryDisk } from "../../../testing/memory-disk.ts";

const D = "a.example";
const [OLD, NEW] = ["ab".repeat(32), "cd".repeat(32)];
const BYTES = new Uint8Array([1]);
const quiet = { unwritable: () => undefined, written: () => undefined, unusable: () => undefined };
const storeOn = (disk: MemoryDisk): ReplicaStore => new ReplicaStore(disk, stablelibHashing, 1_000, quiet);

it.each<[string, () => () => number]>([
  ["all of it survives", () => () => 0],
  ["only what was flushed survives", () => () => 1],
  [
    "what was written last survives",
    () => {
      const chances = [1];
      return () => chances.pop() ?? 0;
    },
  ],
])("a manifest waits for a part that the disk did not take: %s", async (_, chances) => {
  let stored = 0;
  for (let operation = 1; operation <= 8; operation++) {
    const disk = new MemoryDisk();
    const store = storeOn(disk);
    disk.fault = "full";
    await store.putBlob(D, NEW, BYTES);
    disk.fault = null;
    disk.diesBefore = disk.operations + operation;
    const died = new Promise<void>((resolve) => {
      disk.died = resolve;
    });
    await Promise.race([store.putManifest(D, BYTES), died]);
    disk.losePower(chances());
    if (!disk.files.has(`manifests/${D}`)) continue;
    stored++;
    expect([operation, disk.files.has(`blobs/${D}/${NEW}`)]).toEqual([operation, true]);
  }
  expect(stored).toBeGreaterThan(0);
});

it("parts of the manifest on the disk stay while a newer one waits", async () => {
  const disk = new MemoryDisk();
  const store = storeOn(disk);
  await store.putBlob(D, OLD, BYTES);
  await store.putManifest(D, BYTES);
  disk.fault = "full";
  await store.putBlob(D, NEW, BYTES);
  await store.putManifest(D, new Uint8Array([2]));
  await store.tidy(D, new Set([NEW]), 1);
  expect([...disk.files.keys()]).toEqual([`blobs/${D}/${OLD}`, `manifests/${D}`]);
  disk.fault = null;
  await store.writeWaiting();
  await store.tidy(D, new Set([NEW]), 1);
  expect([...disk.files.keys()].sort()).toEqual([`blobs/${D}/${NEW}`, `manifests/${D}`]);
});

it("a file that waits is not forgotten because an older one of its name was written meanwhile", async () => {
  const disk = new MemoryDisk();
  const store = storeOn(disk);
  disk.fault = "full";
  await store.putBlob(D, NEW, BYTES);
  disk.fault = null;
  const write = disk.write.bind(disk);
  let goOn = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  disk.write = async (path, bytes) => {
    if (bytes.length > 1) throw new Error("full");
    await gate;
    await write(path, bytes);
  };
  const writing = store.writeWaiting();
  await store.putBlob(D, NEW, new Uint8Array([1, 2]));
  goOn();
  await writing;
  expect(await store.blob(D, NEW)).toEqual(new Uint8Array([1, 2]));
  disk.write = write;
  await store.writeWaiting();
  expect([disk.files.get(`blobs/${D}/${NEW}`), store.unwrittenBytes]).toEqual([new Uint8Array([1, 2]), 0]);
});

it("says that the disk has all again also if newer files took the place of those that waited", async () => {
  const disk = new MemoryDisk();
  let written = 0;
  const store = new ReplicaStore(disk, stablelibHashing, 1_000, { ...quiet, written: () => written++ });
  await store.writeWaiting();
  disk.fault = "full";
  await store.putBlob(D, NEW, BYTES);
  await store.writeWaiting();
  disk.fault = null;
  await store.putBlob(D, NEW, new Uint8Array([2]));
  expect(written).toBe(0);
  await store.writeWaiting();
  await store.writeWaiting();
  expect(written).toBe(1);
});

it("a file that waits again waits behind what came meanwhile, and counts once", () => {
  const files = new WaitingFiles(10);
  files.put("manifests/a", new Uint8Array(4));
  files.put("blobs/a/b", new Uint8Array(2));
  files.put("manifests/a", new Uint8Array(5));
  expect(files.all().map(([path]) => path)).toEqual(["blobs/a/b", "manifests/a"]);
  expect(files.bytes).toBe(7);
  expect(() => files.put("blobs/a/c", new Uint8Array(4))).toThrow(StoreFullError);
  files.put("blobs/a/c", new Uint8Array(3));
  for (const [path] of files.all()) files.forget(path);
  expect([files.bytes, files.isEmpty]).toEqual([0, true]);
});

/** A store whose observer keeps what is said. */
function watched(disk: MemoryDisk) {
  const said: string[] = [];
  const observer = {
    ...quiet,
    unwritable: () => void said.push("unwritable"),
    written: () => void said.push("written"),
  };
  return { said, store: new ReplicaStore(disk, stablelibHashing, 1_000, observer) };
}

it("what the disk did not remove counts as not there, goes once the disk works again, and then that is said", async () => {
  const disk = new MemoryDisk();
  const { said, store } = watched(disk);
  await store.putBlob(D, OLD, BYTES);
  await store.putManifest(D, BYTES);
  disk.fault = "read-only";
  await store.removeDomain(D);
  expect([await store.manifest(D), await store.blob(D, OLD), (await store.blobIds(D)).size]).toEqual([
    null,
    null,
    0,
  ]);
  await store.writeWaiting();
  expect([disk.files.size, said.includes("written")]).toEqual([2, false]);
  disk.fault = null;
  await store.writeWaiting();
  await store.writeWaiting();
  expect([disk.files.size, said.filter((what) => what === "written").length]).toEqual([0, 1]);
});

it("a list that is back stays, though its domain could not be removed before", async () => {
  const disk = new MemoryDisk();
  const { store } = watched(disk);
  await store.putBlob(D, OLD, BYTES);
  await store.putManifest(D, BYTES);
  disk.fault = "read-only";
  await store.removeDomain(D);
  disk.fault = null;
  // The removal has begun, and takes long.
  let goOn = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  disk.wait = () => gate;
  const catchingUp = store.writeWaiting();
  const stored = store.putBlob(D, OLD, BYTES).then(() => store.putManifest(D, BYTES));
  disk.wait = null;
  goOn();
  await Promise.all([catchingUp, stored]);
  await store.writeWaiting();
  expect([...disk.files.keys()].sort()).toEqual([`blobs/${D}/${OLD}`, `manifests/${D}`]);
  expect([await store.blob(D, OLD), await store.manifest(D)]).toEqual([BYTES, BYTES]);
});

it("a part that a list needs again is not removed late", async () => {
  const disk = new MemoryDisk();
  const { store } = watched(disk);
  for (const id of [OLD, NEW]) await store.putBlob(D, id, BYTES);
  disk.fault = "read-only";
  await store.tidy(D, new Set([NEW]), 1);
  expect([...(await store.blobIds(D))]).toEqual([NEW]);
  disk.fault = null;
  await store.putBlob(D, OLD, BYTES);
  await store.writeWaiting();
  expect([...(await store.blobIds(D))].sort()).toEqual([OLD, NEW]);
});

it("a file that can never be removed does not keep others from being written", async () => {
  const disk = new MemoryDisk();
  const { said, store } = watched(disk);
  await store.putBlob(D, OLD, BYTES);
  disk.remove = async () => {
    throw new Error("not permitted");
  };
  await store.removeDomain(D);
  disk.fault = "full";
  await store.putBlob(D, NEW, BYTES);
  disk.fault = null;
  await store.writeWaiting();
  expect([store.unwrittenBytes, disk.files.has(`blobs/${D}/${NEW}`), said.includes("written")]).toEqual([
    0,
    true,
    false,
  ]);
});

it("a folder that could not be written at all is said to be whole again, also if nothing waited", async () => {
  const { said, store } = watched(new MemoryDisk());
  store.isWritable = false;
  await store.writeWaiting();
  expect(said).toEqual([]);
  store.isWritable = true;
  await store.writeWaiting();
  expect(said).toEqual(["written"]);
});

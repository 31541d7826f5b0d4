/* What a replica stores survives a power failure in the right order. */
import { expect, it } from "vitest";
import { ReplicaStore } from "../../../src/bridge/replica/store.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { MemoryDisk } from "../../../testing/memory-disk.ts";

const D = "a.example";
const ID = "ab".repeat(32);
const quiet = { unwritable: () => undefined, written: () => undefined, unusable: () => undefined };

it.each([
  ["all of it survives", 0],
  ["only what was flushed survives", 1],
])("a manifest waits for a part that the disk did not take: %s", async (_, chance) => {
  let stored = 0;
  for (let operation = 1; operation <= 8; operation++) {
    const disk = new MemoryDisk();
    const store = new ReplicaStore(disk, stablelibHashing, 1_000, quiet);
    disk.fault = "full";
    await store.putBlob(D, ID, new Uint8Array([1]));
    disk.fault = null;
    disk.diesBefore = disk.operations + operation;
    const died = new Promise<void>((resolve) => {
      disk.died = resolve;
    });
    await Promise.race([store.putManifest(D, new Uint8Array([2])), died]);
    disk.losePower(() => chance);
    if (!disk.files.has(`manifests/${D}`)) continue;
    stored++;
    expect([operation, disk.files.has(`blobs/${D}/${ID}`)]).toEqual([operation, true]);
  }
  expect(stored).toBeGreaterThan(0);
});

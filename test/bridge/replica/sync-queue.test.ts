import { beforeEach, describe, expect, it } from "vitest";
import type { Position } from "../../../src/api/index.ts";
import { KeyRing } from "../../../src/bridge/replica/key-ring.ts";
import type { ReplicaEdge, ReplicaObserver } from "../../../src/bridge/replica/ports.ts";
import { ReplicaStore } from "../../../src/bridge/replica/store.ts";
import { SyncQueue } from "../../../src/bridge/replica/sync-queue.ts";
import { deriveDomainKey, utf8 } from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import { MemoryDisk } from "../../../testing/memory-disk.ts";

const A = "a.example";
const ID = "ab".repeat(32);
const quiet = { unwritable: () => undefined, written: () => undefined, unusable: () => undefined };
const ignore = (): void => undefined;

let disk: MemoryDisk;
let store: ReplicaStore;
let keys: KeyRing;
let heads: Map<string, Position>;
/** Domains whose manifest was asked for, and how the requests end. */
let asked: { readonly domain: string; fail(): void }[];
let queue: SyncQueue;

beforeEach(() => {
  disk = new MemoryDisk();
  store = new ReplicaStore(disk, stablelibHashing, 1_000, quiet);
  keys = new KeyRing();
  heads = new Map();
  asked = [];
  const edge = {
    manifest: (domain: string) =>
      new Promise<never>((_, reject) => {
        asked.push({ domain, fail: () => reject(new Error("away")) });
      }),
  } as unknown as ReplicaEdge;
  const observer = new Proxy({} as ReplicaObserver, { get: () => ignore });
  queue = new SyncQueue(
    { store, keys, edge, hashing: stablelibHashing, observer },
    {
      headOf: (domain) => heads.get(domain) ?? null,
      isHeld: () => false,
      contact: () => 0,
      synced: ignore,
      now: () => 0,
    },
  );
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the queue of lists to fetch", () => {
  it("fetches four at a time, each once", async () => {
    for (let i = 0; i < 6; i++) heads.set(`d${i}.example`, { incarnation: 1, number: 7 });
    for (const domain of [...heads.keys(), ...heads.keys()]) queue.addIfBehind(domain);
    await settled();
    expect(asked.map(({ domain }) => domain)).toEqual([
      "d0.example",
      "d1.example",
      "d2.example",
      "d3.example",
    ]);
    asked[1]?.fail();
    await settled();
    expect(asked.slice(4).map(({ domain }) => domain)).toEqual(["d4.example"]);
  });

  it("removes all of a domain: its files and its keys", async () => {
    keys.put(deriveDomainKey(stablelibHashing, utf8("a master key of exactly 32 bytes"), A, 1));
    await store.putBlob(A, ID, new Uint8Array(1));
    await queue.remove(A);
    expect([...disk.files.keys()]).toEqual([]);
    expect(keys.get(A, 1)).toBeUndefined();
  });

  it("removes nothing of a domain that is being fetched, until that ends without a head", async () => {
    heads.set(A, { incarnation: 1, number: 7 });
    queue.addIfBehind(A);
    await settled();
    await store.putBlob(A, ID, new Uint8Array(1));
    heads.delete(A);
    await queue.remove(A);
    expect([...disk.files.keys()]).toEqual([`blobs/${A}/${ID}`]);
    asked[0]?.fail();
    await settled();
    expect([...disk.files.keys()]).toEqual([]);
  });
});

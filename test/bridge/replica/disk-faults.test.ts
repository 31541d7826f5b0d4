import { beforeEach, describe, expect, it } from "vitest";
import { MemoryDisk } from "../../../testing/memory-disk.ts";
import { Random } from "../../../testing/random.ts";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { SECOND, WINDOW } from "../../../testing/world.ts";
import { ReplicaWorld, saidBy } from "./support-world.ts";

const DOMAIN = "a.example";
const OTHER = "b.example";
const NAMES = ["alice", "bob", "carol", "dave"];
/** Each name of the first list, with its true verdict; one that is on no list last. */
const RECIPIENTS = [...NAMES, "nobody"].map((name) => `${name}@${DOMAIN}`);
const TRUE: Readonly<Record<string, string>> = Object.fromEntries(
  RECIPIENTS.map((recipient) => [recipient, recipient.startsWith("nobody") ? "unknown" : "deliverable"]),
);

let world: ReplicaWorld;
let host: ReplicaHost;

beforeEach(async () => {
  world = new ReplicaWorld();
  // Lists of several shards, so that each kind of file exists.
  await world.publishHere(DOMAIN, NAMES, { exactBits: 2 });
  await world.publishHere(OTHER, ["erin", "frank"], { exactBits: 2 });
  host = await world.host({ domains: [DOMAIN, OTHER] });
  await host.start();
  await world.clock.advance(2 * SECOND);
  expect(host.count("ready")).toBe(2);
});

/** Asks about every recipient. Whatever is said must be true; with `isWhole` all of it must be said. */
async function expectTruth(isWhole: boolean): Promise<void> {
  for (const recipient of RECIPIENTS) {
    const said = await saidBy(host, recipient);
    const expected = TRUE[recipient] as string;
    if (isWhole) expect([recipient, said]).toEqual([recipient, `${expected} confirmed`]);
    else expect([`${expected} confirmed`, expected, "edge"]).toContain(said);
    // A refusal is never given without a confirmation.
    expect(said).not.toBe("unknown");
  }
}

/** Starts while the edge is away. Once it is back, the whole truth is said `within` so many milliseconds. */
async function expectTruthAfterStart(within: number): Promise<void> {
  world.isAway = true;
  await host.start();
  await world.clock.advance(2 * SECOND);
  await expectTruth(false);
  world.isAway = false;
  for (let waited = 0; waited < within; waited += WINDOW) {
    await expectTruth(false);
    await world.clock.advance(WINDOW);
  }
  await expectTruth(true);
}

/** The host's power fails with what was not flushed, and it starts again while the edge is away. */
async function losePower(): Promise<void> {
  host.kill();
  host.disk.losePower(() => 1);
  world.isAway = true;
  await host.start();
  await world.clock.advance(SECOND);
}

async function reboot(): Promise<void> {
  host.kill();
  await host.start();
}

const paths = (): string[] => [...host.disk.files.keys()].sort();
/** One file of each kind of the first domain, and those of no domain. */
const KINDS = ["settings", "time", "logs/", `keys/${DOMAIN}/`, `manifests/${DOMAIN}`, `blobs/${DOMAIN}/`];
const fileOf = (kind: string): string => paths().find((path) => path.startsWith(kind)) as string;

describe("the store of a replica", () => {
  it("has a file of each kind", () => {
    for (const kind of KINDS) expect(fileOf(kind)).toBeDefined();
  });

  it.each(KINDS)("gives no false verdict with a bit flipped in %s, and repairs it", async (kind) => {
    const random = new Random(7);
    for (let round = 0; round < 20; round++) {
      const path = fileOf(kind);
      const size = 8 * (host.disk.files.get(path) as Uint8Array).length;
      host.kill();
      host.disk.flip(path, Math.floor(random.next() * size));
      await expectTruthAfterStart(2 * WINDOW);
      await world.clock.advance(WINDOW);
      expect(host.count("failed")).toBe(0);
    }
  });

  it.each(KINDS)("gives no false verdict with %s truncated, empty or missing", async (kind) => {
    for (const spoil of ["truncated", "empty", "missing"]) {
      const path = fileOf(kind);
      const bytes = host.disk.files.get(path) as Uint8Array;
      host.kill();
      if (spoil === "missing") host.disk.files.delete(path);
      else host.disk.files.set(path, bytes.slice(0, spoil === "empty" ? 0 : bytes.length - 3));
      await expectTruthAfterStart(3 * WINDOW);
    }
  });

  it("gives no false verdict with files of another domain in the place of its own", async () => {
    const blobs = paths().filter((path) => path.startsWith("blobs/"));
    const swaps: [string, string][] = [
      [`manifests/${DOMAIN}`, `manifests/${OTHER}`],
      [`keys/${DOMAIN}/1`, `keys/${OTHER}/1`],
      ...blobs.map((blob, i): [string, string] => [blob, blobs[(i + 1) % blobs.length] as string]),
    ];
    for (const [a, b] of swaps) {
      host.kill();
      const [bytesA, bytesB] = [host.disk.files.get(a), host.disk.files.get(b)];
      host.disk.files.set(a, bytesB as Uint8Array);
      host.disk.files.set(b, bytesA as Uint8Array);
      await expectTruthAfterStart(3 * WINDOW);
    }
  });

  it("gives no false verdict from an older copy of the whole folder", async () => {
    const before = new Map(host.disk.files);
    await world.publishHere(DOMAIN, ["alice", "bob", "carol", "dave", "nobody"], { exactBits: 2 });
    await world.clock.advance(WINDOW);
    host.kill();
    host.disk.files.clear();
    for (const [path, bytes] of before) host.disk.files.set(path, bytes);
    await host.start();
    expect(await saidBy(host, `nobody@${DOMAIN}`)).not.toMatch(/^unknown/);
    await world.clock.advance(WINDOW);
    expect(await saidBy(host, `nobody@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it("finds what was deleted while the bridge runs, and fetches it again", async () => {
    // Memory holds the manifest only: no shard was asked for yet.
    await saidBy(host, `erin@${OTHER}`);
    host.disk.files.clear();
    await expectTruth(false);
    await world.clock.advance(WINDOW);
    await expectTruth(false);
    await world.clock.advance(WINDOW);
    await expectTruth(true);
    expect(host.count("missing")).toBeGreaterThan(0);
    expect(paths().some((path) => path.startsWith(`blobs/${DOMAIN}/`))).toBe(true);
  });

  it.each(["full", "read-only"] as const)(
    "keeps answering, and up to date, on a disk that is %s",
    async (fault) => {
      host.disk.fault = fault;
      await world.publishHere(DOMAIN, [...NAMES, "gina"], { exactBits: 2 });
      await world.clock.advance(WINDOW);
      expect(await saidBy(host, `gina@${DOMAIN}`)).toBe("deliverable confirmed");
      await expectTruth(true);
      expect(host.count("unwritable")).toBeGreaterThan(0);
      expect(host.count("written")).toBe(0);
      // What was not written is lost with the process; the older list may only accept.
      await reboot();
      world.isAway = true;
      await world.clock.advance(2 * SECOND);
      expect(await saidBy(host, `gina@${DOMAIN}`)).toBe("edge");
      await expectTruth(false);
      world.isAway = false;
      host.disk.fault = null;
      await world.clock.advance(2 * WINDOW);
      await reboot();
      world.isAway = true;
      await world.clock.advance(2 * SECOND);
      expect(await saidBy(host, `gina@${DOMAIN}`)).toBe("deliverable");
    },
  );

  it("keeps a list over a power failure that was written when the disk had room again", async () => {
    host.disk.fault = "full";
    await world.publishHere(DOMAIN, [...NAMES, "gina"], { exactBits: 2 });
    await world.clock.advance(WINDOW);
    host.disk.fault = null;
    await world.clock.advance(WINDOW);
    expect(host.count("written")).toBe(1);
    await losePower();
    for (const name of [...NAMES, "gina"])
      expect(await saidBy(host, `${name}@${DOMAIN}`)).toBe("deliverable");
  });

  it("keeps a list over a power failure if the disk was full for a part of the next one", async () => {
    const more = Array.from({ length: 20 }, (_, i) => `n${i}`);
    await world.publishHere(DOMAIN, [...NAMES, ...more], { exactBits: 2 });
    let shards = 0;
    world.tamper = async (path, response) => {
      if (!path.includes("/shards/")) return response;
      // One after the other.
      await world.clock.sleep(++shards * 100);
      host.disk.fault = host.disk.fault === null && host.count("unwritable") === 0 ? "full" : null;
      return response;
    };
    while (shards < 4) await world.clock.advance(SECOND);
    await world.clock.advance(SECOND);
    expect(host.count("unwritable")).toBe(1);
    await losePower();
    for (const name of NAMES) expect(await saidBy(host, `${name}@${DOMAIN}`)).toBe("deliverable");
  });

  it("starts empty on a disk that cannot be written, and holds the lists in memory", async () => {
    const disk = new MemoryDisk();
    disk.fault = "read-only";
    host = await world.host({ domains: [DOMAIN, OTHER], disk });
    await host.start();
    await world.clock.advance(WINDOW);
    await expectTruth(true);
    expect(disk.files.size).toBe(0);
    disk.fault = null;
    await world.clock.advance(WINDOW);
    expect(host.count("written")).toBe(1);
    expect(disk.files.size).toBeGreaterThan(6);
  });

  it("asks the edge while the disk cannot be read, and answers from memory what is there", async () => {
    await expectTruth(true);
    host.disk.fault = "unreadable";
    await expectTruth(true);
    await reboot();
    await world.clock.advance(2 * SECOND);
    await expectTruth(false);
    host.disk.fault = null;
    await world.clock.advance(2 * WINDOW);
    await expectTruth(true);
  });

  it("removes what no list needs any more", async () => {
    const before = new Set(paths());
    await world.publishHere(DOMAIN, [...NAMES, "gina", "hans", "ines", "jona"], { exactBits: 2 });
    await world.remove(world.edge, OTHER);
    await world.clock.advance(WINDOW);
    const blobs = paths().filter((path) => path.startsWith(`blobs/${DOMAIN}/`));
    expect(blobs).toHaveLength(4);
    expect(blobs.every((path) => before.has(path))).toBe(false);
    expect(paths().filter((path) => path.startsWith(`blobs/${OTHER}/`))).toEqual([]);
  });

  it("removes what it does not know, once all domains are known", async () => {
    const { files } = host.disk;
    host.kill();
    for (const path of [
      "manifests/x.example",
      "keys/x.example/1",
      "blobs/x.example/ab",
      "blobs/y.example/cd",
    ]) {
      files.set(path, new Uint8Array(9));
    }
    world.isAway = true;
    await host.start();
    await world.clock.advance(WINDOW);
    expect(files.has("manifests/x.example")).toBe(true);
    world.isAway = false;
    await world.clock.advance(WINDOW);
    expect(paths().filter((path) => /[xy]\.example/.test(path))).toEqual([]);
    await expectTruth(true);
  });

  it("belongs to another deployment without harm, with the same domain, epoch and names of files", async () => {
    host.kill();
    const { disk } = host;
    world = new ReplicaWorld({ masterKey: new TextEncoder().encode("another master key with 32 bytes") });
    await world.clock.advance(24 * 3_600 * SECOND);
    await world.publishHere(DOMAIN, NAMES.slice(1), { exactBits: 2 });
    host = await world.host({ domains: [DOMAIN], disk });
    await host.start();
    // Its clock may accept what the other deployment listed, until the first answer.
    await world.clock.advance(WINDOW);
    expect(await saidBy(host, `alice@${DOMAIN}`)).toBe("unknown confirmed");
    expect(await saidBy(host, `bob@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it("survives a power failure with all that was said to be complete", async () => {
    host.kill();
    host.disk.losePower(() => 1);
    world.isAway = true;
    await host.start();
    await world.clock.advance(SECOND);
    for (const name of NAMES) expect(await saidBy(host, `${name}@${DOMAIN}`)).toBe("deliverable");
  });

  it("leaves a domain to the edge that a new token no longer covers, and removes its list", async () => {
    host.kill();
    const { disk } = host;
    host = await world.host({ domains: [DOMAIN], disk });
    await host.start();
    await world.clock.advance(2 * SECOND);
    await world.publishHere(OTHER, ["erin", "frank", "newcomer"], { exactBits: 2 });
    await world.clock.advance(WINDOW);
    // Changes of this domain are not in the answers to this token.
    expect(await saidBy(host, `newcomer@${OTHER}`)).toBe("edge");
    expect(paths().filter((path) => path.includes(OTHER))).toEqual([]);
    await expectTruth(true);
  });

  it("removes a list that was being fetched when a new token came that does not cover it", async () => {
    world.tamper = async (path, response) => {
      if (path.includes(`/${OTHER}/`)) await world.clock.sleep(9 * SECOND);
      return response;
    };
    await world.publishHere(
      OTHER,
      Array.from({ length: 20 }, (_, i) => `n${i}`),
      { exactBits: 2, force: true },
    );
    await world.clock.advance(WINDOW / 2);
    host.useToken(await world.token([DOMAIN]));
    await world.clock.advance(2 * WINDOW);
    expect(paths().filter((path) => path.includes(OTHER))).toEqual([]);
    await expectTruth(true);
  });

  it("holds a domain that a new token covers as well", async () => {
    const disk = new MemoryDisk();
    host = await world.host({ domains: [DOMAIN], disk });
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(await saidBy(host, `erin@${OTHER}`)).toBe("edge");
    host.kill();
    host = await world.host({ domains: [DOMAIN, OTHER], disk });
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(await saidBy(host, `erin@${OTHER}`)).toBe("deliverable confirmed");
  });
});

describe("a host that loses its power at any point of a sync", () => {
  it("gives no false verdict after it, and continues where it was", async () => {
    const disk = new MemoryDisk();
    const random = new Random(11);
    host.kill();
    const whole = await operationsOfSync();
    expect(whole).toBeGreaterThan(15);
    let fetched = 0;
    for (let point = 1; point <= 100; point++) {
      host = await world.host({ domains: [DOMAIN, OTHER], disk, seed: point });
      // One list moves on now and then, so that old and new files meet.
      if (point % 10 === 0) await world.publishHere(OTHER, ["erin", `n${point}`], { exactBits: 2 });
      disk.diesBefore = disk.operations + 1 + (point % whole);
      world.isAway = point % 7 === 0;
      // It may die while it opens the folder.
      void host.start();
      await world.clock.advance(2 * SECOND);
      fetched += host.count("fetched");
      host.kill();
      disk.losePower(() => random.next());
      host = await world.host({ domains: [DOMAIN, OTHER], disk, seed: point });
      world.isAway = true;
      await host.start();
      await world.clock.advance(SECOND);
      await expectTruth(false);
      host.kill();
      if (point % 25 === 0) disk.files.clear();
    }
    expect(fetched).toBeGreaterThan(0);
    world.isAway = false;
    host = await world.host({ domains: [DOMAIN, OTHER], disk });
    await host.start();
    await world.clock.advance(WINDOW);
    await expectTruth(true);
    expect(await saidBy(host, `erin@${OTHER}`)).toBe("deliverable confirmed");
  });

  /** Disk operations of a start with an empty folder, until both lists are there. */
  async function operationsOfSync(): Promise<number> {
    const disk = new MemoryDisk();
    host = await world.host({ domains: [DOMAIN, OTHER], disk });
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(host.count("ready")).toBe(2);
    host.kill();
    return disk.operations;
  }
});

describe("the fetch of a list", () => {
  it("keeps what it has if it is interrupted, and fetches only the rest", async () => {
    host.kill();
    const disk = new MemoryDisk();
    host = await world.host({ domains: [DOMAIN], disk });
    let shards = 0;
    world.tamper = (path, response) => {
      if (path.includes("/shards/") && ++shards > 2) return new Response("gone away", { status: 502 });
      return response;
    };
    await host.start();
    await world.clock.advance(20 * SECOND);
    expect(host.count("syncFailed")).toBeGreaterThan(0);
    host.kill();
    const kept = [...disk.files.keys()].filter((path) => path.startsWith("blobs/")).length;
    expect(kept).toBeGreaterThan(0);
    world.tamper = (_, response) => response;
    world.requests.length = 0;
    await host.start();
    await world.clock.advance(5 * SECOND);
    await expectTruth(true);
    expect(world.requests.filter((path) => path.includes("/shards/"))).toHaveLength(4 - kept);
  });

  it("asks again if the head moves on meanwhile and its parts are gone", async () => {
    host.kill();
    const disk = new MemoryDisk();
    host = await world.host({ domains: [DOMAIN], disk });
    let isOld = true;
    world.tamper = (path, response) => {
      if (!path.includes("/shards/") || !isOld) return response;
      isOld = false;
      return Response.json({ error: { code: "not_found", message: "no such shard" } }, { status: 404 });
    };
    await host.start();
    await world.clock.advance(5 * SECOND);
    await expectTruth(true);
    expect(world.requests.filter((path) => path.endsWith("/manifest")).length).toBeGreaterThan(1);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["flipped", (bytes) => bytes.map((octet, i) => (i === bytes.length >> 1 ? octet ^ 4 : octet))],
    ["truncated", (bytes) => bytes.slice(0, -1)],
    ["empty", () => new Uint8Array(0)],
    ["of another list", () => new TextEncoder().encode("x".repeat(500))],
  ])("stores nothing that is %s", async (_, spoil) => {
    host.kill();
    for (const kind of ["/manifest", "/shards/", "/key"]) {
      const disk = new MemoryDisk();
      host = await world.host({ domains: [DOMAIN], disk });
      let isSpoiling = true;
      world.tamper = async (path, response) => {
        if (!path.includes(kind) || !isSpoiling || response.status !== 200) return response;
        const bytes = spoil(new Uint8Array(await response.arrayBuffer())) as Uint8Array<ArrayBuffer>;
        return new Response(bytes, { status: 200, headers: response.headers });
      };
      await host.start();
      await world.clock.advance(20 * SECOND);
      expect([kind, host.count("syncFailed") > 0]).toEqual([kind, true]);
      expect([...disk.files.keys()].filter((path) => path.startsWith("manifests/"))).toEqual([]);
      expect(await saidBy(host, `nobody@${DOMAIN}`)).toBe("edge");
      isSpoiling = false;
      await world.clock.advance(2 * WINDOW);
      await expectTruth(true);
      host.kill();
    }
  });

  it("stores no shard under the id of another one", async () => {
    host.kill();
    const disk = new MemoryDisk();
    host = await world.host({ domains: [DOMAIN], disk });
    let first: Uint8Array<ArrayBuffer> | null = null;
    world.tamper = async (path, response) => {
      if (!path.includes("/shards/")) return response;
      first ??= new Uint8Array(await response.arrayBuffer());
      return new Response(first, { status: 200, headers: response.headers });
    };
    await host.start();
    await world.clock.advance(20 * SECOND);
    expect(host.count("syncFailed")).toBeGreaterThan(0);
    expect([...disk.files.keys()].filter((path) => path.startsWith("blobs/")).length).toBeLessThan(2);
    expect(await saidBy(host, `alice@${DOMAIN}`)).toBe("edge");
  });

  it("makes each list usable as soon as it is there", async () => {
    host.kill();
    host = await world.host({ domains: [DOMAIN, OTHER], disk: new MemoryDisk() });
    world.tamper = (path, response) =>
      path.includes(`/${OTHER}/shards/`) ? new Response("slow", { status: 503 }) : response;
    await host.start();
    await world.clock.advance(3 * SECOND);
    await expectTruth(true);
    expect(await saidBy(host, `erin@${OTHER}`)).toBe("edge");
    expect(host.replica.states()).toMatchObject([
      { domain: DOMAIN, generation: expect.any(Number) as number },
      { domain: OTHER, generation: null, age: null },
    ]);
  });
});

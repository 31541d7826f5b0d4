import { beforeEach, describe, expect, it } from "vitest";
import {
  blobKey,
  encodeManifest,
  type Manifest,
  manifestKey,
  openManifest,
  rosterKey,
  toHex,
  utf8,
} from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { MINUTE, SECOND, World } from "../../testing/world.ts";

const SMALL = "small.example";
const BIG = "big.example";
const OTHER = "other.example";

/** Bytes with one flipped bit. */
function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

describe("damaged bytes in KV", () => {
  let world: World;
  let manifest: Uint8Array;

  beforeEach(async () => {
    world = new World();
    const publisher = world.isolate("publisher");
    await world.publish(publisher, SMALL, ["alice", "bob"]);
    await world.publish(publisher, OTHER, ["carol"]);
    await world.clock.advance(5 * MINUTE);
    manifest = world.kv.newest(manifestKey(SMALL)) as Uint8Array;
  });

  /** What a cold isolate answers with these bytes in KV, with the Registry and without it. */
  const expectNoHarm = async (label: string): Promise<void> => {
    // The Registry writes again what readers miss, which would repair it in the middle of the test.
    world.kv.fault = ({ kind }) => (kind === "put" ? { kind: "lost" } : undefined);
    const served = world.isolate(`with ${label}`);
    for (const [recipient, verdict] of [
      [`nobody@${SMALL}`, "unknown"],
      [`alice@${SMALL}`, "deliverable"],
    ] as const) {
      const answer = await served.check(recipient);
      expect([label, answer.verdict]).toEqual([label, verdict]);
    }
    world.registry().fault = () => ({ kind: "error" });
    const alone = world.isolate(`without ${label}`);
    for (const local of ["alice", "nobody"]) {
      expect([label, (await alone.check(`${local}@${SMALL}`)).action]).toEqual([label, "defer"]);
    }
    await alone.idle();
    world.registry().fault = () => undefined;
  };

  it("in any bit of a manifest lead to the Registry, and defer without it", async () => {
    for (let bit = 0; bit < 8 * manifest.length; bit += 101) {
      world.kv.set(manifestKey(SMALL), flipped(manifest, bit));
      await expectNoHarm(`bit ${bit}`);
    }
  });

  it("in a manifest truncated at any length lead to the Registry, and defer without it", async () => {
    for (let length = 0; length < manifest.length; length += 97) {
      world.kv.set(manifestKey(SMALL), manifest.subarray(0, length));
      await expectNoHarm(`${length} bytes`);
    }
  });

  it("are not taken for a domain's manifest if they belong to another domain, key or canonicaliser", async () => {
    const { key, ...content } = openManifest(manifest, SMALL, world.keyFor) as Manifest;
    const stranger = new World({ masterKey: utf8("another master of exactly 32 byt") });
    const replaced = (from: string, to: string): Uint8Array => {
      const text = Buffer.from(manifest).toString("latin1").replace(from, to);
      const bytes = Buffer.from(text, "latin1");
      bytes.writeUInt32LE(bytes.length, 8);
      bytes.writeUInt32LE(bytes.readUInt32LE(12) + to.length - from.length, 12);
      bytes.set(key.manifest(bytes.subarray(0, -32)), bytes.length - 32);
      return new Uint8Array(bytes);
    };
    const wrong: Record<string, Uint8Array> = {
      "another domain's": world.kv.newest(manifestKey(OTHER)) as Uint8Array,
      "this domain's under another's key": encodeManifest(content, world.keyFor(OTHER)),
      "another master key's": encodeManifest(content, stranger.keyFor(SMALL)),
      "another canonicaliser's": replaced('"canonicaliser":1', '"canonicaliser":2'),
      "of a format from the future": flipped(manifest, 8 * 4 + 1),
      // Written past the Registry.
      "an offline export's": replaced(`{"domain":"${SMALL}",`, `{"domain":"${SMALL}","origin":"kv",`),
    };
    for (const [label, bytes] of Object.entries(wrong)) {
      world.kv.set(manifestKey(SMALL), bytes);
      await expectNoHarm(label);
    }
  });

  it("in the roster make no domain not served", async () => {
    const roster = world.kv.newest(rosterKey("0")) as Uint8Array;
    const another = new World({ partitions: 2 });
    for (let i = 0; i < 8; i++) await another.publish(another.isolate(), `p${i}.example`, ["alice"]);
    await another.clock.advance(MINUTE);
    for (const [label, bytes] of Object.entries({
      empty: new Uint8Array(0),
      cut: roster.subarray(0, roster.length - 2),
      flipped: flipped(roster, 8 * 60),
      "another partition's": another.kv.newest(rosterKey("1")) as Uint8Array,
    })) {
      world.kv.set(rosterKey("0"), bytes);
      const isolate = world.isolate(label);
      expect([label, (await isolate.check(`alice@${SMALL}`)).action]).toEqual([label, "accept"]);
      await isolate.idle();
      expect(await isolate.check(`nobody@${SMALL}`)).toMatchObject({ verdict: "unknown" });
      world.kv.set(rosterKey("0"), roster);
    }
  });

  it("in a shard, or a missing shard, lead to the Registry, and defer without it", async () => {
    const publisher = world.isolate("publisher");
    await world.publish(publisher, BIG, people(9_000), { bits: 1 });
    await world.clock.advance(15 * MINUTE);
    const ids = Array.from({ length: 2 }, (_, i) =>
      toHex((world.headOf(BIG) as Manifest).shards.ids.subarray(32 * i, 32 * i + 32)),
    );
    const [first, second] = ids.map((id) => world.kv.newest(blobKey(BIG, id)) as Uint8Array);
    if (first === undefined || second === undefined) throw new Error("two shards were meant to be");
    for (const [label, damage] of Object.entries({
      flipped: (bytes: Uint8Array) => flipped(bytes, 8 * bytes.length - 9),
      cut: (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2),
      "the other one": (bytes: Uint8Array) => (bytes === first ? second : first),
      missing: () => null,
    })) {
      ids.forEach((id, i) => {
        world.kv.set(blobKey(BIG, id), damage(i === 0 ? first : second));
      });
      const isolate: IsolateHost = world.isolate(label);
      const answers: string[] = [];
      for (const local of ["u1", "u2", "u3", "nobody", "u8999"]) {
        answers.push((await isolate.check(`${local}@${BIG}`)).verdict);
      }
      expect([label, ...answers]).toEqual([
        label,
        ..."deliverable deliverable deliverable unknown deliverable".split(" "),
      ]);
      world.registry().fault = ({ method }) => (method === "blob" ? { kind: "error" } : undefined);
      const alone = world.isolate(`${label} alone`);
      for (const local of ["u1", "nobody"]) {
        expect(await alone.check(`${local}@${BIG}`)).toMatchObject({
          verdict: "unavailable",
          action: "defer",
        });
      }
      world.registry().fault = () => undefined;
    }
  });

  it("that are a cached absence in KV do not hide a shard once it is there", async () => {
    const publisher = world.isolate("publisher");
    world.kv.propagation = (location) => (location === "far" ? 2 * MINUTE : 0);
    await world.publish(publisher, BIG, people(9_000), { bits: 1 });
    await world.clock.advance(130 * SECOND);
    // The manifest shows, its shards are cached as absent, and the Registry stays away.
    const far = world.isolate("far");
    const id = toHex((world.headOf(BIG) as Manifest).shards.ids.subarray(0, 32));
    world.kv.propagation = (_, key) => (key.startsWith("shard/") ? 4 * MINUTE : 0);
    world.registry().fault = ({ method }) => (method === "blob" ? { kind: "error" } : undefined);
    await far.check(`u1@${BIG}`);
    await far.check(`u2@${BIG}`);
    expect(
      world.kv.operations.some(({ keys, location }) => location === "far" && keys[0] === blobKey(BIG, id)),
    ).toBe(true);
    await world.clock.advance(3 * MINUTE);
    const next = world.isolate("far");
    for (const local of ["u1", "u2", "u3", "u4"]) {
      expect(await next.check(`${local}@${BIG}`)).toMatchObject({ verdict: "deliverable" });
    }
  });
});

describe("a Registry that has lost a head's generation", () => {
  it("fails, so that the domain is deferred and not called not served", async () => {
    const world = new World();
    const publisher = world.isolate("publisher");
    await world.publish(publisher, SMALL, ["alice"]);
    await world.publish(publisher, OTHER, ["carol"]);
    world.registry().sql("DELETE FROM generations WHERE domain = ?", SMALL);
    world.kv.set(manifestKey(SMALL), null);
    const isolate = world.isolate("cold");
    for (let i = 0; i < 3; i++) {
      expect(await isolate.check(`alice@${SMALL}`)).toMatchObject({ action: "defer" });
      await world.clock.advance(31 * SECOND);
    }
    expect(await isolate.check(`carol@${OTHER}`)).toMatchObject({ verdict: "deliverable" });
  });
});

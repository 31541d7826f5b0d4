import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CANONICALISER_VERSION } from "../../src/directory/address/canonical.ts";
import { MAX_SHARD_BITS } from "../../src/directory/address/fingerprint.ts";
import { DEFAULT_POLICY, MODES } from "../../src/directory/address/policy.ts";
import { sentinels } from "../../src/directory/address/sentinel.ts";
import { concatBytes, toBase64Url, toHex, utf8 } from "../../src/directory/bytes.ts";
import { encodeDepartures } from "../../src/directory/formats/departures.ts";
import {
  blobId,
  blobIds,
  encodeManifest,
  isContentId,
  type ManifestContent,
  NO_COUNTS,
  openManifest,
  readManifest,
} from "../../src/directory/formats/manifest.ts";
import { entriesOf } from "../../src/directory/formats/shard.ts";
import { deriveDomainKey } from "../../src/directory/keys.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import {
  contentOf,
  DOMAIN,
  faultOf,
  flipped,
  forAll,
  idOf,
  KEY,
  keyFor,
  listOf,
  NOW,
  packList,
  packShard,
  policyWith,
  randomNumbers,
  tableOf,
  unaligned,
} from "./helpers.ts";

const SMALL = packList(listOf(["alice", "bob"]));
const LARGE = packList(listOf(Array.from({ length: 300 }, (_, i) => `user${i}`)), KEY, 3);

const PATTERNS = packShard(
  new Map([
    [1, 0],
    [2, 1],
  ]),
  0,
);

const small = encodeManifest(contentOf(SMALL), KEY);
const large = encodeManifest(contentOf(LARGE), KEY);

const open = (bytes: Uint8Array, domain = DOMAIN) => openManifest(bytes, domain, keyFor);

/** What a manifest's bytes say, so that a test can say it otherwise. */
interface Parts {
  readonly head: Uint8Array;
  readonly header: Record<string, unknown>;
  readonly blocks: readonly Uint8Array[];
}

function takeApart(bytes: Uint8Array): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const blocks: Uint8Array[] = [];
  for (let at = 12; at < bytes.length - 32; at += 4 + view.getUint32(at, true)) {
    blocks.push(bytes.slice(at + 4, at + 4 + view.getUint32(at, true)));
  }
  const [header, ...rest] = blocks as [Uint8Array, ...Uint8Array[]];
  return { head: bytes.slice(0, 12), header: JSON.parse(new TextDecoder().decode(header)), blocks: rest };
}

/** Puts a manifest together under the right key, whatever it says: its MAC always fits. */
function forged({ head, header, blocks }: Parts, text = JSON.stringify(header)): Uint8Array {
  const all = [utf8(text), ...blocks];
  const lengths = all.map((block) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, block.length, true);
    return length;
  });
  const body = concatBytes([head, ...all.flatMap((block, i) => [lengths[i] as Uint8Array, block])]);
  new DataView(body.buffer).setUint32(8, body.length + 32, true);
  return concatBytes([body, KEY.manifest(body)]);
}

/** A manifest with fields of its header set to other values. */
function saying(fields: Record<string, unknown>, bytes = small): Uint8Array {
  const parts = takeApart(bytes);
  return forged({ ...parts, header: { ...parts.header, ...fields } });
}

describe("a manifest", () => {
  const count = fc.maxSafeNat();
  const content: fc.Arbitrary<ManifestContent> = fc.record({
    domain: fc.constant(DOMAIN),
    incarnation: count,
    generation: count,
    time: count,
    mode: fc.constantFrom(...MODES),
    policy: fc
      .record({
        delimiters: fc.constantFrom("", "+", "+-", "=_#~"),
        catchall: fc.boolean(),
        case: fc.constantFrom("insensitive" as const, "sensitive" as const),
        dots: fc.constantFrom("significant" as const, "ignored" as const),
        postmaster: fc.boolean(),
        alias: fc.constantFrom(null, "example.org"),
        text: fc.option(fc.stringMatching(/^[ -~]{0,40}$/)),
        grace: fc.nat(86_400),
        guard: fc.double({ min: 0, max: 1, noNaN: true }).map((share) => share + 0),
      })
      .map(policyWith),
    counts: fc.record({ active: count, disabled: count, full: count, moved: count }),
    deletedUntil: fc.option(count),
    refusesFrom: count,
    patterns: fc.option(fc.record({ table: fc.constantFrom(null, PATTERNS), departedUntil: count })),
    shards: fc.constantFrom(SMALL.table, LARGE.table, tableOf(SMALL.shards, 0, false)),
    departures: fc.constantFrom(
      { bits: 0, inline: null, ids: new Uint8Array(32), count: 0 },
      {
        bits: 0,
        inline: encodeDepartures({ tails: Float64Array.of(5), until: Uint32Array.of(9) }, 0),
        ids: new Uint8Array(0),
        count: 1,
      },
      { bits: 1, inline: null, ids: new Uint8Array(64).fill(7), count: 40_000 },
    ),
  });

  it("decodes to what was encoded, at any offset", () => {
    forAll([content, fc.nat(5)], (it, offset) => {
      const bytes = encodeManifest(it, KEY);
      const read = open(unaligned(bytes, offset));
      expect(open(Buffer.from(bytes)).inlineShard?.count).toBe(read.inlineShard?.count);
      for (const [name, value] of Object.entries(it)) {
        const got = read[name as keyof ManifestContent];
        expect(JSON.stringify(got, bytesAsHex), name).toBe(JSON.stringify(value, bytesAsHex));
      }
    });
  });

  it("that was opened encodes to the same bytes", () => {
    forAll([content], (it) => {
      const bytes = encodeManifest(it, KEY);
      expect(encodeManifest(open(bytes), KEY)).toEqual(bytes);
    });
  });

  it("holds the only shard of a small domain, and the ids of many", () => {
    const opened = open(small);
    expect(opened.inlineShard?.count).toBe(2);
    expect(entriesOf(opened.inlineShard as NonNullable<typeof opened.inlineShard>).tails).toHaveLength(2);
    expect(blobIds(opened.shards)).toEqual([]);
    const many = open(large);
    expect(many.inlineShard).toBeNull();
    expect(blobIds(many.shards)).toEqual(LARGE.shards.map(idOf));
    expect(blobId(many.shards, 5)).toBe(idOf(LARGE.shards[5] as Uint8Array));
    expect(many.key.id).toBe(KEY.id);
    expect(many.bytes).toEqual(large);
  });

  it("of ten million mailboxes stays under 64 KB", () => {
    const ids = new Uint8Array(32 * 2 ** 10);
    const bytes = encodeManifest(contentOf(SMALL, { shards: { bits: 10, inline: null, ids } }), KEY);
    expect(bytes.length).toBeLessThan(64 * 1024);
    expect(open(bytes).shards.bits).toBe(10);
  });

  it("contains the id of its key, not the key", () => {
    const text = Buffer.from(encodeManifest(open(small), KEY)).toString("latin1");
    expect(text).toContain(KEY.id);
    for (const secret of [toHex(KEY.secret), Buffer.from(KEY.secret).toString("latin1")]) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toContain("alice");
  });
});

function bytesAsHex(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? toHex(value) : value;
}

describe("a damaged manifest", () => {
  it.each([
    ["one shard inline", small],
    ["many shards", large],
  ])("with %s is recognised if truncated anywhere, and if bytes follow", (_, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      expect(faultOf(() => open(bytes.subarray(0, length)))).toBe("damaged");
    }
    expect(faultOf(() => open(Uint8Array.of(...bytes, 0)))).toBe("damaged");
  });

  it.each([
    ["one shard inline", small],
    ["many shards", large],
  ])("with %s is recognised by any flipped bit", (_, bytes) => {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      expect(["damaged", "key-mismatch"]).toContain(faultOf(() => open(flipped(bytes, bit))));
    }
  });

  it("is recognised with any value in each of its length fields", () => {
    const lie = fc.tuple(fc.constantFrom(8, 12, 16), fc.integer({ min: 0, max: 0xffffffff }));
    forAll([fc.oneof(lie, fc.uint8Array({ maxLength: 400 }))], (it) => {
      let bytes = Uint8Array.from(small);
      if (it instanceof Uint8Array)
        bytes = concatBytes([small.subarray(0, it.length % 20), it]) as typeof bytes;
      else new DataView(bytes.buffer).setUint32(it[0], it[1], true);
      if (toHex(bytes) === toHex(small)) return;
      expect(["damaged", "key-mismatch"]).toContain(faultOf(() => open(bytes)));
    });
  });

  it("is recognised by its domain: one domain's manifest decides nothing for another", () => {
    expect(faultOf(() => open(small, "example.org"))).toBe("damaged");
    const other = encodeManifest(contentOf(SMALL, { domain: "example.org" }), keyFor("example.org"));
    expect(faultOf(() => open(other))).toBe("damaged");
    expect(open(other, "example.org").domain).toBe("example.org");
  });

  it.each([1_048_576, 2 ** 16 + 1])(
    "that claims %i shards is refused before memory is allocated for them",
    (shards) => {
      const { head, header, blocks } = takeApart(large);
      const bits = Math.ceil(Math.log2(shards));
      expect(bits).toBeGreaterThan(MAX_SHARD_BITS);
      const bytes = forged({ head, header: { ...header, shards: { bits, inline: false } }, blocks });
      expect(faultOf(() => open(bytes))).toBe("damaged");
    },
  );
});

describe("a manifest with a valid MAC", () => {
  it("opens if unchanged", () => {
    expect(saying({})).toEqual(small);
  });

  it.each<[string, Record<string, unknown>]>([
    ["the origin of an offline export", { origin: "kv" }],
    ["another mode", { mode: "off" }],
    ["a negative generation", { generation: -1 }],
    ["half a generation", { generation: 1.5 }],
    ["a generation in words", { generation: "7" }],
    ["a generation past exact numbers", { generation: 2 ** 53 }],
    ["no generation", { generation: undefined }],
    ["no incarnation", { incarnation: null }],
    ["no time", { time: undefined }],
    ["no counts", { counts: undefined }],
    ["counts as a list", { counts: [2, 0, 0, 0] }],
    ["counts that lack a state", { counts: { active: 2, disabled: 0, full: 0 } }],
    ["a deletion in words", { deletedUntil: "soon" }],
    ["no word about deletion", { deletedUntil: undefined }],
    ["no epoch", { epoch: undefined }],
    ["no table of shards", { shards: undefined }],
    ["shards of half a bit", { shards: { bits: 0.5, inline: true } }],
    ["a million shards", { shards: { bits: 20, inline: false } }],
    ["shards past counting", { shards: { bits: 2 ** 40, inline: false } }],
    ["two inline shards", { shards: { bits: 1, inline: true } }],
    ["fewer ids than shards", { shards: { bits: 0, inline: false } }],
    ["no table of departures", { departures: null }],
    ["departures without a count", { departures: { bits: 0, inline: false } }],
    ["more departures than it has ids for", { departures: { bits: 3, inline: false, count: 9 } }],
    ["departures inline that are none", { departures: { bits: 0, inline: true, count: 1 } }],
  ])("that says %s is damaged", (_, fields) => {
    expect(faultOf(() => open(saying(fields)))).toBe("damaged");
  });

  it.each<[string, Record<string, unknown>]>([
    ["a delimiter that is none", { delimiters: "@" }],
    ["a setting from the future", { greylisting: true }],
    ["a refusal text of two lines", { text: "a\r\nb" }],
  ])("that has a policy with %s never opens", (_, policy) => {
    const given = { ...policyWith(), ...policy };
    expect(faultOf(() => open(saying({ policy: given })))).toBe("invalid");
    expect(faultOf(() => open(saying({ policy: null })))).toBe("invalid");
  });

  it.each(["", "null", "[]", "5", '"text"', "{", '{"domain":"example.com"', "[".repeat(100_000)])(
    "whose header is not an object never opens: %#",
    (header) => {
      expect(faultOf(() => open(forged(takeApart(small), header)))).toBe("damaged");
    },
  );

  it("whose inline shard is damaged, or one of several, never opens", () => {
    const { head, header, blocks } = takeApart(small);
    const [shard, departures] = blocks as [Uint8Array, Uint8Array];
    for (const bytes of [
      shard.subarray(1),
      new Uint8Array(0),
      flipped(shard, 0),
      LARGE.shards[0] as Uint8Array,
    ]) {
      expect(faultOf(() => open(forged({ head, header, blocks: [bytes, departures] })))).toBe("damaged");
    }
  });

  it("whose inline departures are one blob of several, or have another count, never opens", () => {
    const one = { tails: Float64Array.of(5), until: Uint32Array.of(9) };
    const table = (inline: Uint8Array, count: number) => ({ bits: 0, inline, ids: new Uint8Array(0), count });
    const withDepartures = (inline: Uint8Array, count: number) =>
      encodeManifest(contentOf(SMALL, { departures: table(inline, count) }), KEY);
    expect(open(withDepartures(encodeDepartures(one, 0), 1)).inlineDepartures?.count).toBe(1);
    expect(faultOf(() => open(withDepartures(encodeDepartures(one, 0), 0)))).toBe("damaged");
    expect(faultOf(() => open(withDepartures(encodeDepartures(one, 0), 2)))).toBe("damaged");
    expect(faultOf(() => open(withDepartures(encodeDepartures(one, 1), 1)))).toBe("damaged");
  });

  it("that has bytes after its last block is damaged", () => {
    const parts = takeApart(small);
    for (const more of [new Uint8Array(0), Uint8Array.of(1, 2, 3)]) {
      expect(faultOf(() => open(forged({ ...parts, blocks: [...parts.blocks, more] })))).toBe("damaged");
    }
  });

  it("that names more shards than possible is damaged, even with an id for each", () => {
    const { head, header, blocks } = takeApart(large);
    const ids = new Uint8Array(32 * 2 ** (MAX_SHARD_BITS + 1));
    const shards = { bits: MAX_SHARD_BITS + 1, inline: false };
    const many = forged({ head, header: { ...header, shards }, blocks: [ids, blocks[1] as Uint8Array] });
    expect(faultOf(() => open(many))).toBe("damaged");
  });

  it("that names as many shards as there can be opens", () => {
    const { head, header, blocks } = takeApart(large);
    const ids = new Uint8Array(32 * 2 ** MAX_SHARD_BITS);
    const shards = { bits: MAX_SHARD_BITS, inline: false };
    const many = forged({ head, header: { ...header, shards }, blocks: [ids, blocks[1] as Uint8Array] });
    expect(open(many).shards.bits).toBe(MAX_SHARD_BITS);
  });

  it("that is another kind of file, or states another length, is damaged", () => {
    const parts = takeApart(small);
    parts.head[0] = 0x53;
    expect(faultOf(() => open(forged(parts)))).toBe("damaged");
    const body = small.slice(0, -32);
    new DataView(body.buffer).setUint32(8, small.length + 1, true);
    expect(faultOf(() => open(concatBytes([body, KEY.manifest(body)])))).toBe("damaged");
  });

  it.each<[string, Record<string, unknown>]>([
    ["epoch", { epoch: -1 }],
    ["counts", { counts: 1 }],
    ["counts", { counts: { ...NO_COUNTS, active: -1 } }],
    ["counts", { counts: { ...NO_COUNTS, disabled: -1 } }],
    ["counts", { counts: { ...NO_COUNTS, full: -1 } }],
    ["counts", { counts: { ...NO_COUNTS, moved: -1 } }],
    ["departures", { departures: 1 }],
    ["departures", { departures: { bits: 0, inline: false, count: -1 } }],
    ["incarnation", { incarnation: -1 }],
    ["generation", { generation: -1 }],
    ["time", { time: -1 }],
    ["deletedUntil", { deletedUntil: -1 }],
    ["shards", { shards: 1 }],
    ["bits", { shards: { bits: -1, inline: false } }],
  ])("that has no usable %s says so: %j", (field, fields) => {
    expect(() => open(saying(fields))).toThrow(`manifest's ${field}`);
    expect(() => readManifest(saying(fields), DOMAIN)).toThrow(`manifest's ${field}`);
  });

  it("that has a future format is damaged, never partly read", () => {
    for (const format of [0, 2, 255]) {
      const parts = takeApart(small);
      parts.head[4] = format;
      expect(faultOf(() => open(forged(parts)))).toBe("damaged");
    }
  });

  it("gets the default of a setting that its policy lacks", () => {
    const { guard: _, ...rest } = policyWith();
    expect(open(saying({ policy: rest })).policy).toEqual(policyWith());
  });
});

describe("a manifest that is only read", () => {
  it("says what it contains and what it was made with, unverified", () => {
    const record = readManifest(small, DOMAIN);
    const { key, inlineShard: _, inlineDepartures: __, patternShard: ___, ...content } = open(small);
    expect(record).toEqual({
      ...content,
      epoch: key.epoch,
      keyId: key.id,
      canonicaliser: CANONICALISER_VERSION,
    });
    expect(readManifest(saying({ canonicaliser: 9, key: "another", epoch: 4 }), DOMAIN)).toMatchObject({
      canonicaliser: 9,
      keyId: "another",
      epoch: 4,
    });
    expect(readManifest(flipped(small, 8 * small.length - 1), DOMAIN).generation).toBe(7);
  });

  it("is damaged under another domain, or without a version of the canonicaliser", () => {
    expect(faultOf(() => readManifest(small, "example.org"))).toBe("damaged");
    expect(() => readManifest(saying({ canonicaliser: "1" }), DOMAIN)).toThrow("manifest's canonicaliser");
  });
});

describe("a manifest with patterns", () => {
  const patterns = { table: PATTERNS, departedUntil: 0 };
  const bytes = encodeManifest(contentOf(SMALL, { patterns }), KEY);
  const { header } = takeApart(bytes);

  it("is one of their own canonicaliser, and has sentinels for the cuts", () => {
    expect(header.canonicaliser).toBe(3);
    expect(header.sentinels).toEqual(sentinels(KEY.names, DEFAULT_POLICY, true));
    const opened = open(bytes);
    expect(opened.patterns).toEqual(patterns);
    expect(opened.patternShard?.count).toBe(2);
    expect(readManifest(bytes, DOMAIN)).toMatchObject({ canonicaliser: 3, patterns });
  });

  it("may have patterns in its departures alone", () => {
    const gone = { table: null, departedUntil: 1_800_000_000 };
    const opened = open(encodeManifest(contentOf(SMALL, { patterns: gone }), KEY));
    expect(opened).toMatchObject({ patterns: gone, patternShard: null });
  });

  it("is the same to the byte without them, whatever this release knows", () => {
    expect(takeApart(small).header).not.toHaveProperty("patterns");
    expect(takeApart(small).header.canonicaliser).toBe(1);
    expect(idOf(small)).toMatchInlineSnapshot(
      `"88636b1ae3c7f09ab5f0ad5e9d7785853da18fd276c540427a11a925102b3a09"`,
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ["sentinels without cuts", { sentinels: takeApart(small).header.sentinels }],
    ["no sentinels", { sentinels: [] }],
    ["the canonicaliser of a list without patterns", { canonicaliser: 1 }],
    ["the canonicaliser of the cuts before", { canonicaliser: 2 }],
    ["a canonicaliser of the future", { canonicaliser: 4 }],
    ["no patterns", { patterns: undefined }],
    ["a policy under which names are cut otherwise", { policy: policyWith({ dots: "ignored" }) }],
  ])("that has %s is of another canonicaliser", (_, fields) => {
    expect(faultOf(() => open(saying(fields, bytes)))).toBe("canonicaliser-mismatch");
  });

  it.each<[string, unknown]>([
    ["are a list", []],
    ["lack their table", { departedUntil: 0 }],
    ["lack the time of their departures", { table: header.patterns && toBase64Url(PATTERNS) }],
    ["have a negative time", { table: null, departedUntil: -1 }],
    ["are not base64url", { table: "?", departedUntil: 0 }],
    ["are no shard", { table: "AAAA", departedUntil: 0 }],
    ["are an empty table", { table: toBase64Url(packShard(new Map(), 0)), departedUntil: 0 }],
  ])("whose patterns %s is damaged", (_, said) => {
    expect(faultOf(() => open(saying({ patterns: said }, bytes)))).toBe("damaged");
    expect(() => open(saying({ patterns: said }, bytes))).toThrow(
      /manifest's patterns|shard|patterns in a table/,
    );
  });

  it("is shown by its version alone if a later release made it", () => {
    const later = saying({ canonicaliser: 4, patterns: "otherwise" }, bytes);
    expect(readManifest(later, DOMAIN)).toMatchObject({ canonicaliser: 4, patterns: null });
  });
});

describe("the counts of an empty list", () => {
  it("are all zero", () => {
    expect(NO_COUNTS).toEqual({ active: 0, disabled: 0, full: 0, moved: 0 });
  });
});

describe("law 5: a mismatch is a fault, not a list of nobody", () => {
  it("detects another master key", () => {
    const master = utf8("another master key, of 32 bytes!");
    const other = (domain: string, epoch: number) => deriveDomainKey(stablelibHashing, master, domain, epoch);
    for (const bytes of [small, large]) {
      expect(faultOf(() => openManifest(bytes, DOMAIN, other))).toBe("key-mismatch");
    }
  });

  it("detects another epoch of the key", () => {
    const bytes = encodeManifest(contentOf(SMALL), keyFor(DOMAIN, 2));
    expect(open(bytes).key.epoch).toBe(2);
    expect(faultOf(() => openManifest(bytes, DOMAIN, (domain) => keyFor(domain, 1)))).toBe("key-mismatch");
  });

  it("detects another key with the same id", () => {
    const impostor = { ...keyFor(DOMAIN, 2), id: KEY.id };
    expect(faultOf(() => openManifest(small, DOMAIN, () => impostor))).toBe("damaged");
    const names = { ...KEY, names: impostor.names };
    expect(faultOf(() => openManifest(small, DOMAIN, () => names))).toBe("canonicaliser-mismatch");
  });

  it("detects another version of the canonicaliser", () => {
    for (const canonicaliser of [
      CANONICALISER_VERSION + 1,
      0,
      null,
      undefined,
      String(CANONICALISER_VERSION),
    ]) {
      expect(faultOf(() => open(saying({ canonicaliser })))).toBe("canonicaliser-mismatch");
    }
  });

  it("detects a changed sentinel, each of them", () => {
    const { sentinels } = takeApart(small).header as { sentinels: string[] };
    expect(sentinels.length).toBeGreaterThan(8);
    sentinels.forEach((sentinel, i) => {
      const altered = sentinels.with(
        i,
        sentinel.replace(/^./, (c) => (c === "0" ? "1" : "0")),
      );
      expect(faultOf(() => open(saying({ sentinels: altered })))).toBe("canonicaliser-mismatch");
    });
    for (const others of [
      [],
      undefined,
      null,
      sentinels.slice(1),
      [...sentinels, "0"],
      sentinels.toReversed(),
    ]) {
      expect(faultOf(() => open(saying({ sentinels: others })))).toBe("canonicaliser-mismatch");
    }
  });

  it("detects another policy than the one of its sentinels", () => {
    for (const policy of [
      policyWith({ case: "sensitive" }),
      policyWith({ dots: "ignored" }),
      policyWith({ delimiters: "" }),
    ]) {
      expect(faultOf(() => open(saying({ policy })))).toBe("canonicaliser-mismatch");
    }
  });
});

describe("a content id", () => {
  it("is a SHA-256 in lower-case hexadecimal", () => {
    const next = randomNumbers(1);
    const id = idOf(Uint8Array.of(next() & 255));
    expect(isContentId(id)).toBe(true);
    for (const text of [
      "",
      id.toUpperCase(),
      id.slice(1),
      `${id}0`,
      `${id}\n`,
      ` ${id.slice(1)}`,
      `g${id.slice(1)}`,
    ]) {
      expect(isContentId(text)).toBe(false);
    }
  });

  it("of a shard does not depend on the generation's time", () => {
    const later = encodeManifest(contentOf(SMALL, { time: NOW + 1 }), KEY);
    expect(blobIds(open(later).shards)).toEqual(blobIds(open(small).shards));
  });
});

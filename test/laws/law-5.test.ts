/* Law 5: a key or a canonicaliser that does not match is a fault, not an empty list. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, expect, it } from "vitest";
import type { DomainKeyBody } from "../../src/api/index.ts";
import {
  CANONICALISER_VERSION,
  concatBytes,
  DEFAULT_POLICY,
  type DomainKey,
  domainKey,
  fromBase64Url,
  PATTERN_CANONICALISER,
  sentinels,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { json, startFakeEdge } from "../support/fake-edge.ts";
import { type Edges, FAIR, type LawEdge, startEdges } from "./support/edges.ts";
import { all, startFrontEnds } from "./support/front-ends.ts";
import { LARGE, many, Publisher } from "./support/publishing.ts";

const SMALL = "small.example";
const BIG = "large.example";
const OTHER = "other.example";
const MANIFEST = `domain/${SMALL}`;

let edges: Edges<"right" | "wrong">;
let edge: LawEdge;
let publisher: Publisher;
/** The manifest of the small domain as the Registry wrote it. */
let whole: Uint8Array;
let smallKey: DomainKey;
let smallKeyBody: DomainKeyBody;

beforeAll(async () => {
  edges = await startEdges({
    right: {},
    wrong: { ROLLCALL_MASTER_KEY: "b3RoZXItbWFzdGVyLWtleS1vZi10aGlydHktdHdvLWI" },
  });
  edge = edges.edge.right;
  publisher = new Publisher(edge);
  await publisher.publish(SMALL, "alice bob,disabled carol");
  await publisher.publish(OTHER, "dora");
  await publisher.publish(BIG, many(LARGE));
  await edges.copied();
  whole = await edges.read(MANIFEST);
  smallKeyBody = await edge.json<DomainKeyBody>(`/v1/domains/${SMALL}/key`);
  smallKey = domainKey(stablelibHashing, fromBase64Url(smallKeyBody.key), SMALL, smallKeyBody.epoch);
});

/** The distinct verdicts of a cold isolate about recipients if it has only KV. */
async function alone(...recipients: readonly string[]): Promise<string[]> {
  await edge.weather({ ...FAIR, registry: "fails" });
  await edge.restart();
  return [...new Set((await edge.checkAll(recipients)).map(({ verdict }) => verdict))];
}

/** The same if the Registry answers. */
async function together(...recipients: readonly string[]): Promise<string[]> {
  await edge.weather(FAIR);
  await edge.restart();
  return (await edge.checkAll(recipients)).map(({ verdict }) => verdict);
}

const SMALL_NAMES = ["alice", "bob", "nobody"].map((local) => `${local}@${SMALL}`);
const SMALL_TRUTH = ["deliverable", "disabled", "unknown"];

/** A manifest with another header and a valid MAC: what another release might have made. */
function remade(
  change: Readonly<Record<string, unknown>>,
  made: Uint8Array = whole,
  key: DomainKey = smallKey,
): Uint8Array {
  const view = new DataView(made.buffer, made.byteOffset);
  const length = view.getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(made.subarray(16, 16 + length))) as object;
  const text = new TextEncoder().encode(JSON.stringify({ ...header, ...change }));
  const body = concatBytes([made.subarray(0, 16), text, made.subarray(16 + length, -32)]);
  const words = new DataView(body.buffer);
  words.setUint32(12, text.length, true);
  words.setUint32(8, body.length + 32, true);
  return concatBytes([body, key.manifest(body)]);
}

it("A mismatch of the master key is unavailable, for every recipient and at every front end", async () => {
  const { wrong } = edges.edge;
  const recipients = [...SMALL_NAMES, `user1@${BIG}`, `nobody@${BIG}`];
  for (const recipient of recipients) {
    expect(await wrong.ask(recipient)).toMatchObject({ status: 503, answer: { verdict: "unavailable" } });
  }
  await wrong.restart();
  const answers = await wrong.checkAll(recipients);
  expect(new Set(answers.map(({ verdict }) => verdict))).toEqual(new Set(["unavailable"]));
  const ways = await startFrontEnds(wrong.url, 3);
  for (const recipient of recipients) expect(await ways.acts(recipient)).toEqual(all("defer"));
  // The right key reads the same KV.
  expect(await together(...SMALL_NAMES)).toEqual(SMALL_TRUTH);
});

it("A manifest names its key by an id derived from the key, and another id is unavailable", async () => {
  const [key, body] = [smallKey, smallKeyBody];
  expect(body.key_id).toBe(key.id);
  expect(new TextDecoder().decode(whole)).toContain(`"key":"${key.id}"`);
  // A manifest that is made again without a change works, so the change is what matters.
  await edges.put(MANIFEST, remade({}));
  expect(await alone(SMALL_NAMES[0] as string)).toEqual(["deliverable"]);
  for (const change of [
    { key: key.id.replace(/./, "_") },
    { key: "" },
    { key: null },
    { epoch: body.epoch + 1 },
  ]) {
    await edges.put(MANIFEST, remade(change));
    expect({ ...change, said: await alone(...SMALL_NAMES) }).toEqual({ ...change, said: ["unavailable"] });
    expect(await together(...SMALL_NAMES)).toEqual(SMALL_TRUTH);
  }
});

it("A manifest of another canonicaliser, or with other sentinels, is unavailable", async () => {
  const changes = [
    { canonicaliser: CANONICALISER_VERSION + 1 },
    { canonicaliser: null },
    { sentinels: [] },
    { sentinels: undefined },
    { sentinels: ["AAAAAAAAAAAA"] },
  ];
  for (const change of changes) {
    await edges.put(MANIFEST, remade(change));
    expect({ ...change, said: await alone(...SMALL_NAMES) }).toEqual({ ...change, said: ["unavailable"] });
    expect(await together(...SMALL_NAMES)).toEqual(SMALL_TRUTH);
  }
});

it("A list with patterns is unavailable without sentinels of its cuts", async () => {
  const domain = "patterns.example";
  const key = `domain/${domain}`;
  await publisher.publish(domain, "alice ticket-*");
  await edges.copied();
  const made = await edges.read(key);
  const body = await edge.json<DomainKeyBody>(`/v1/domains/${domain}/key`);
  const own = domainKey(stablelibHashing, fromBase64Url(body.key), domain, body.epoch);
  const asked = [`ticket-7@${domain}`, `alice@${domain}`];
  await edges.put(key, remade({}, made, own));
  expect(await alone(...asked)).toEqual(["deliverable"]);
  for (const change of [
    // As a release that knows no patterns would make it, and one that knows more of them.
    { canonicaliser: CANONICALISER_VERSION },
    { canonicaliser: PATTERN_CANONICALISER + 1 },
    // As one that did not cut a name again without its subaddress made it.
    { canonicaliser: 2 },
    { sentinels: sentinels(own.names, DEFAULT_POLICY) },
    { patterns: undefined },
    { patterns: { table: "AAAA", departedUntil: 0 } },
  ]) {
    await edges.put(key, remade(change, made, own));
    expect({ ...change, said: await alone(...asked) }).toEqual({ ...change, said: ["unavailable"] });
    expect(await together(...asked)).toEqual(["deliverable", "deliverable"]);
  }
});

it("A manifest ends with a MAC: if it is damaged anywhere, truncated, or another domain's, it is unavailable", async () => {
  const bad: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    "another domain's": await edges.read(`domain/${OTHER}`),
    longer: concatBytes([whole, new Uint8Array(1)]),
  };
  for (const length of [1, 16, 40, whole.length - 33, whole.length - 1])
    bad[`cut at ${length}`] = whole.subarray(0, length);
  for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 60)) {
    const flipped = Uint8Array.from(whole);
    flipped[at] = (flipped[at] as number) ^ 1;
    bad[`flipped at ${at}`] = flipped;
  }
  for (const [what, bytes] of Object.entries(bad)) {
    await edges.put(MANIFEST, bytes);
    expect({ what, said: await alone(...SMALL_NAMES) }).toEqual({ what, said: ["unavailable"] });
  }
  expect(await together(...SMALL_NAMES)).toEqual(SMALL_TRUTH);
  await edges.put(MANIFEST, whole);
  expect(await alone(SMALL_NAMES[0] as string)).toEqual(["deliverable"]);
});

it("A shard is named by its digest: if it is damaged or in another's place, it is unavailable and never an empty list", async () => {
  const keys = (await edges.keys()).filter((key) => key.startsWith(`shard/${BIG}/`));
  expect(keys).toHaveLength(2);
  const shards = await Promise.all(keys.map((key) => edges.read(key)));
  const names = [
    ...Array.from({ length: 20 }, (_, i) => `user${i}`),
    "nobody",
    "noone",
    "none",
    "nil",
    "null",
  ];
  const recipients = names.map((local) => `${local}@${BIG}`);
  const truth = names.map((local) => (local.startsWith("user") ? "deliverable" : "unknown"));
  const withBytes = async (of: (shard: Uint8Array, i: number) => Uint8Array): Promise<void> => {
    for (const [i, key] of keys.entries()) await edges.put(key, of(shards[i] as Uint8Array, i));
  };
  const flip = (at: number) => (shard: Uint8Array) =>
    Uint8Array.from(shard, (byte, i) => (i === (at + shard.length) % shard.length ? byte ^ 0x10 : byte));
  const damages = [flip(0), flip(9), flip(30), flip(600), flip(-1), () => new Uint8Array(0)];
  const more = [
    (shard: Uint8Array) => shard.subarray(0, 540),
    (_: Uint8Array, i: number) => shards[1 - i] as Uint8Array,
  ];
  for (const damage of [...damages, ...more]) {
    await withBytes(damage);
    await edge.weather({ ...FAIR, blobs: "fails" });
    await edge.restart();
    const answers = await edge.checkAll(recipients);
    expect(new Set(answers.map(({ verdict }) => verdict))).toEqual(new Set(["unavailable"]));
    // The Registry has intact ones.
    expect(await together(...recipients)).toEqual(truth);
  }
  await withBytes((shard) => shard);
});

it("A damaged roster says nothing about the served domains", async () => {
  const roster = await edges.read("roster/0");
  const flipped = Uint8Array.from(roster);
  flipped[5] = (flipped[5] as number) ^ 1;
  for (const bytes of [flipped, new Uint8Array(0), roster.subarray(0, 60)]) {
    await edges.put("roster/0", bytes);
    expect(await alone(`nobody@${SMALL}`, "x@elsewhere.example")).toEqual(["unavailable"]);
    expect(await together(`nobody@${SMALL}`, "x@elsewhere.example")).toEqual(["unknown", "not-served"]);
  }
  await edges.put("roster/0", roster);
});

it("The Registry computes key, canonicaliser and sentinels again before it accepts a commit", async () => {
  const body = smallKeyBody;
  const head = await edge.json<{ generation: number; shards: unknown }>(`/v1/domains/${SMALL}`);
  const header = new TextDecoder().decode(whole);
  const { sentinels } = JSON.parse(
    header.slice(16, header.indexOf("}", header.indexOf('"departures"')) + 2),
  ) as {
    sentinels: string[];
  };
  const good = {
    domain: SMALL,
    expect: head.generation,
    epoch: body.epoch,
    key_id: body.key_id,
    canonicaliser: body.canonicaliser,
    sentinels,
    shards: head.shards,
  };
  const changes = [
    { key_id: "another" },
    { canonicaliser: body.canonicaliser + 1 },
    { sentinels: [...sentinels].reverse() },
    { sentinels: [] },
  ];
  for (const change of changes) {
    const response = await edge.post("/v1/commits", { domains: [{ ...good, ...change }], force: true });
    expect({ ...change, status: response.status }).toEqual({ ...change, status: 400 });
  }
  expect((await edge.post("/v1/commits", { domains: [good] })).status).toBe(200);
});

it("What the Registry carries on is verified first: a list that is damaged in its storage is not signed again", async () => {
  const domain = "stored.example";
  const before = await startEdges({ one: {} });
  const first = new Publisher(before.edge.one);
  const number = await first.publish(domain, many(850));
  await before.copied();
  await before.stop();
  // The low octet of a fingerprint: the list can still be read.
  const damaged = filesBelow(before.storage).filter((file) => damage(file, domain, number));
  expect(damaged).toHaveLength(1);
  const after = await startEdges({ one: {} }, {}, before.storage);
  const again = new Publisher(after.edge.one);
  for (const args of [`add someone@${domain} --yes`, `rollback ${domain} --to ${number} --yes`]) {
    const said = await again.run(args);
    expect(said.code, args).not.toBe(0);
    expect(said.stderr, args).toContain("damaged");
  }
  const { domains } = await after.edge.one.json<{ domains: unknown[] }>("/v1/domains");
  expect(domains).toMatchObject([{ domain, generation: number, fault: expect.stringContaining("damaged") }]);
  expect(after.log.filter((line) => line.includes("damaged_manifest"))).not.toEqual([]);
  const listed = Array.from({ length: 850 }, (_, i) => `user${i}@${domain}`);
  for (let at = 0; at < listed.length; at += 50) {
    const answers = await after.edge.one.checkAll(listed.slice(at, at + 50));
    for (const { recipient, action } of answers) expect([recipient, action]).not.toContain("reject");
  }
  await after.stop();
});

/** Flips a bit of the list inside a manifest of a Registry. @returns whether it is in this file */
function damage(file: string, domain: string, number: number): boolean {
  const database = new DatabaseSync(file);
  try {
    const has = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'generations'").get();
    if (has === undefined) return false;
    const where = "FROM generations WHERE domain = ? AND number = ?";
    const row = database.prepare(`SELECT manifest ${where}`).get(domain, number);
    const bytes = Uint8Array.from(row?.manifest as Uint8Array);
    const place = bytes.length - 200;
    bytes[place] = (bytes[place] as number) ^ 1;
    database
      .prepare("UPDATE generations SET manifest = ? WHERE domain = ? AND number = ?")
      .run(bytes, domain, number);
    return true;
  } finally {
    database.close();
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => join(folder, name));

it("A publisher computes the key's id again, and publishes nothing with a key that does not match", async () => {
  const body = smallKeyBody;
  for (const change of [{ key_id: "another" }, { canonicaliser: body.canonicaliser + 1 }, { key: "AAAA" }]) {
    const fake = await startFakeEdge(({ path }, response) => {
      if (path.endsWith("/key")) return json(response, { ...body, ...change });
      json(response, { error: { code: "not_found", message: "no head" } }, 404);
    });
    const said = await new Publisher(fake).tryPublish(SMALL, "alice");
    expect(said.code).toBeGreaterThan(0);
    expect(fake.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  }
});

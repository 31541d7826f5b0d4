/**
 * By how much a publish token can make the Registry's storage grow, for each thousand requests, and what is left of it later.
 * The real Registry on SQLite in memory, in virtual time. Run with: node bench/growth.ts
 */
import { randomBytes } from "node:crypto";
import type { Result } from "../src/api/index.ts";
import {
  canonicalLocalPart,
  DEFAULT_POLICY,
  encodeShard,
  encodeTails,
  fingerprint,
  fingerprintIn,
  readManifest,
  sentinels,
  toBase64Url,
  toHex,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import { commitOf, pack, people } from "../testing/lists.ts";
import { DAY, World } from "../testing/world.ts";

const D = "example.com";
const REQUESTS = 1_000;

type Send = (world: World, i: number) => Promise<Result<unknown>>;

const coreOf = (world: World) => world.registry().core({ partition: 0, partitions: 1 });

async function headOf(world: World): Promise<ReturnType<typeof readManifest> | null> {
  const head = await coreOf(world).head(D);
  return head.ok && head.value !== null ? readManifest(head.value, D) : null;
}

/** A commit of a list with some name that was not in it. */
async function commit(world: World, names: number, i: number): Promise<Result<unknown>> {
  const head = await headOf(world);
  const key = world.keyFor(D, 1);
  const packed = pack([...people(names), `new${i}`], key, DEFAULT_POLICY);
  const domain = commitOf(packed, key, DEFAULT_POLICY, { expect: head?.generation ?? null });
  return coreOf(world).commit({ domains: [{ ...domain, patched_kept: "" }], force: true }, "thief", null);
}

/** A single change under a key of its own. */
async function change(world: World, i: number): Promise<Result<unknown>> {
  const { names } = world.keyFor(D, 1);
  const print = fingerprintIn(fingerprint(names, canonicalLocalPart(`change${i}`, DEFAULT_POLICY)));
  const changes = {
    domain: D,
    keyId: world.keyFor(D, 1).id,
    canonicaliser: 1,
    sentinels: sentinels(names, DEFAULT_POLICY),
    changes: [[print, 0]] as const,
    force: false,
    atOnce: false,
    idempotency: { key: `key ${i}`, digest: "d".repeat(64) },
  };
  return world.clock.run(coreOf(world).patch(changes, "thief", null));
}

/** A shard of some names that no commit names. */
async function upload(world: World, names: number): Promise<Result<unknown>> {
  const random = randomBytes(6 * names);
  const tails = Float64Array.from({ length: names }, (_, n) => random.readUIntBE(6 * n, 6)).sort();
  const bytes = encodeShard({ tails, states: new Uint8Array(names) }, 0, 0);
  return coreOf(world).putShard(D, toHex(stablelibHashing.sha256(bytes)), bytes, "thief");
}

/** A plan of a list with as many other names as the head has. */
async function plan(world: World, names: number, i: number): Promise<Result<unknown>> {
  const head = await headOf(world);
  const all = Float64Array.from({ length: names }, (_, n) => (n + 1) * 2 ** 32 + i);
  const planned = {
    domain: D,
    expect: head?.generation ?? 0,
    key_id: head?.keyId ?? "",
    canonicaliser: 1,
    policy: {},
    accepted: 2 * names,
    names: { gone: "", back: toBase64Url(encodeTails(all)) },
  };
  return world.clock.run(coreOf(world).plan({ domains: [planned] }, null, "thief"));
}

const KINDS: readonly (readonly [what: string, send: Send])[] = [
  ["uploads of 256 kB that no commit names", (world) => upload(world, 50_000)],
  ["commits of a list of 5,000 names", (world, i) => commit(world, 5_000, i)],
  ["plans of a list of 5,000 names, each with 5,000 more", (world, i) => plan(world, 5_000, i)],
  ["single changes, each with a key, of a list of 5,000 names", change],
];

const sizeOf = (world: World): number =>
  (world.registry().sql("SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size")[0]
    ?.size as number) -
  (world
    .registry()
    .sql("SELECT freelist_count * page_size AS size FROM pragma_freelist_count, pragma_page_size")[0]
    ?.size as number);

const mb = (octets: number): string => `${(octets / 1e6).toFixed(1)} MB`;

for (const [what, send] of KINDS) {
  const world = new World();
  await world.clock.run(coreOf(world).initialise("admin"));
  await commit(world, 5_000, -1);
  await world.clock.advance(1_000);
  const grown: string[] = [];
  let refused = 0;
  const start = sizeOf(world);
  for (let thousand = 0; thousand < 3; thousand++) {
    const before = sizeOf(world);
    for (let i = 0; i < REQUESTS; i++) {
      const result = await send(world, thousand * REQUESTS + i);
      if (result.ok) continue;
      if (refused++ === 0) console.log(`${what}: ${result.error.code}: ${result.error.message}`);
    }
    grown.push(mb(sizeOf(world) - before));
  }
  const left: string[] = [];
  for (const days of [2, 31]) {
    await world.clock.advance(days * DAY);
    left.push(`${mb(sizeOf(world) - start)} ${days} days later`);
  }
  console.log(`${what}: ${grown.join(", ")} for each 1,000; ${refused} of 3,000 refused; ${left.join(", ")}`);
}

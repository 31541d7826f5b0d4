/* What is stored of a list is verified before anything is made from it, and what is damaged or lost is seen (law 5). */
import { beforeEach, describe, expect, it } from "vitest";
import type { PatchResult, Result } from "../../src/api/index.ts";
import {
  ACTIVE,
  blobIds,
  CANONICALISER_VERSION,
  DEFAULT_POLICY,
  fingerprint,
  fingerprintIn,
  manifestKey,
  sentinels,
} from "../../src/directory/index.ts";
import type { FaultLine } from "../../src/edge/ports.ts";
import type { Changed, HeadSummary } from "../../src/registry/protocol.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../testing/units.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const OTHER = "other.example";
let desk: Desk;
let lines: FaultLine[];

beforeEach(async () => {
  desk = await new Desk().open();
  lines = [];
  Object.assign(desk.world.ports, {
    log: (line: FaultLine) => void (line.event === "fault" && lines.push(line)),
  });
});

const storage = () => desk.world.registry().storage;
const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);

/** Flips bits in what a table has of a domain. */
function flip(table: "generations" | "blobs", where: string, at: (bytes: Uint8Array) => number): void {
  const column = table === "generations" ? "manifest" : "bytes";
  const rows = storage().sql(`SELECT ${column} AS bytes FROM ${table} WHERE ${where}`);
  expect(rows).toHaveLength(1);
  const bytes = new Uint8Array(rows[0]?.bytes as Uint8Array);
  const place = at(bytes);
  bytes[place] = (bytes[place] as number) ^ 1;
  storage().sql(`UPDATE ${table} SET ${column} = ? WHERE ${where}`, bytes);
}

/** Damages a list inside a manifest so that it can still be read: the low octet of a fingerprint of a whole shard. */
const damageManifest = (number: number, domain = D): void =>
  flip("generations", `domain = '${domain}' AND number = ${number}`, (bytes) => bytes.length - 200);

const headOf = async (domain = D): Promise<HeadSummary | undefined> =>
  accepted(await desk.core.domainsNamed([domain]))[0];

async function add(name: string, domain = D): Promise<Result<Changed<PatchResult>>> {
  const head = accepted(await desk.core.domainsNamed([domain]))[0];
  const key = desk.world.keyFor(domain, head?.epoch);
  const change = {
    domain,
    keyId: key.id,
    canonicaliser: CANONICALISER_VERSION,
    sentinels: sentinels(key.names, DEFAULT_POLICY),
    changes: [[fingerprintIn(fingerprint(key.names, name)), ACTIVE]] as const,
    force: false,
    atOnce: false,
    idempotency: null,
  };
  return desk.world.clock.run(desk.core.patch(change, "tester", null));
}

const faults = async (): Promise<string[]> =>
  accepted(await desk.core.counted())
    .filter(([, mode]) => mode === "fault")
    .map(([domain, , kind]) => `${kind} of ${domain}`);

describe("a manifest that is damaged in the Registry", () => {
  it("is not signed again by a single change", async () => {
    const number = await desk.publish(people(850));
    damageManifest(number);
    expect(refused(await add("new"))).toMatchObject({ code: "unavailable", domain: D });
    expect(storage().sql("SELECT number FROM heads WHERE domain = ?", D)).toEqual([{ number }]);
    expect(lines).toMatchObject([{ event: "fault", kind: "damaged_manifest", domain: D }]);
    expect(await faults()).toEqual([`damaged_manifest of ${D}`]);
    expect((await headOf())?.fault).toContain("rollcall rollback");
    // It is said once, and not with each change.
    expect(refused(await add("another"))).toMatchObject({ code: "unavailable" });
    expect(lines).toHaveLength(1);
  });

  it("is no generation that a rollback goes back to", async () => {
    const number = await desk.publish(people(850));
    const next = await desk.publish(people(851));
    damageManifest(number);
    expect(refused(await desk.rollback({ to: number, expect: next }))).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(`generation ${number} is damaged`),
    });
    expect(await faults()).toEqual([`damaged_manifest of ${D}`]);
    // The head is whole.
    expect((await headOf())?.fault).toBeNull();
    expect(accepted(await add("new")).result.added).toBe(1);
  });

  it("can be replaced by an older list, and by a deletion", async () => {
    const first = await desk.publish(people(850));
    const second = await desk.publish(people(860));
    damageManifest(second);
    const restored = accepted(await desk.rollback({ to: first, expect: second })).result.generation;
    expect((await desk.head())?.counts.active).toBe(850);
    expect((await headOf())?.fault).toBeNull();
    damageManifest(restored);
    expect(accepted(await desk.core.remove(D, restored, "tester")).result.generation).toBeGreaterThan(
      restored,
    );
    expect((await desk.head())?.deletedUntil).not.toBeNull();
  });

  it("is not published upon, nor planned against, nor held by the brake, nor copied to KV", async () => {
    const number = await desk.publish(people(850));
    const commit = await desk.prepare(people(851));
    damageManifest(number);
    expect(await desk.refusal([commit])).toMatchObject({ code: "unavailable", domain: D });
    desk.core.brake(D, new Map());
    await advance(10 * SECOND);
    expect(desk.world.kv.newest(manifestKey(D))).toBeNull();
    expect(accepted(await desk.core.status()).kv_error).toContain("fails its MAC");
  });

  it("leaves the pruning of other domains as it is", async () => {
    const number = await desk.publish(people(9_000), { bits: 1 });
    const next = await desk.publish(people(9_001), { bits: 1 });
    await desk.publish(people(9_000), { bits: 1, domain: OTHER });
    await desk.publish(people(9_001), { bits: 1, domain: OTHER });
    damageManifest(next);
    await advance(5 * MINUTE);
    expect(storage().sql("SELECT 1 FROM left_blobs")).toEqual([]);
    // What the damaged head names is known after a rollback, and what nothing names expires then.
    accepted(await desk.rollback({ to: number, expect: next }));
    await advance(2 * HOUR);
    const named = new Set(blobIds((await desk.head())?.shards as never));
    const kept = storage().sql(
      "SELECT id, expires > 99999999999999 AS forever FROM blobs WHERE domain = ?",
      D,
    );
    expect(
      kept
        .filter(({ forever }) => forever === 1)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...named].sort());
  });

  it("is found within a day, though nobody asks for it, and the note goes once it is whole", async () => {
    const number = await desk.publish(people(850));
    await desk.publish(people(10), { domain: OTHER });
    await advance(MINUTE);
    const before = storage().sql("SELECT manifest FROM generations WHERE domain = ?", D)[0]?.manifest;
    damageManifest(number);
    await advance(DAY + 2 * HOUR);
    expect(lines).toMatchObject([{ kind: "damaged_manifest", domain: D }]);
    expect([(await headOf())?.fault === null, (await headOf(OTHER))?.fault]).toEqual([false, null]);
    storage().sql("UPDATE generations SET manifest = ? WHERE domain = ?", before as Uint8Array, D);
    await advance(DAY + 2 * HOUR);
    expect((await headOf())?.fault).toBeNull();
  });
});

describe("a blob that is damaged in the Registry", () => {
  const SHARDS = { bits: 2 };
  const first = async (): Promise<string> => blobIds((await desk.head())?.shards as never)[0] as string;
  const damageBlob = async (): Promise<string> => {
    const id = await first();
    flip("blobs", `domain = '${D}' AND id = '${id}'`, (bytes) => bytes.length - 3);
    return id;
  };

  it("is rebuilt by no single change, and compared with no list", async () => {
    await desk.publish(people(2_000), SHARDS);
    await damageBlob();
    const commit = await desk.prepare(people(1_990), SHARDS);
    expect(await desk.refusal([commit])).toMatchObject({ code: "unavailable", domain: D });
    const results = await Promise.all(people(12, 5_000).map((name) => add(name)));
    expect(results.filter((it) => !it.ok).map((it) => refused(it).code)).toContain("unavailable");
    expect(lines).toMatchObject([{ kind: "damaged_blob", domain: D }]);
    expect((await headOf())?.fault).toContain("--force");
    // An override replaces it.
    await desk.commit([commit], { force: true });
    expect((await headOf())?.fault).toBeNull();
  });

  it("is put again by the next publish, which finds it missing", async () => {
    const head = await desk.publish(people(2_000), SHARDS);
    const commit = await desk.prepare(people(2_000), SHARDS);
    await advance(MINUTE);
    const id = await damageBlob();
    await advance(DAY + 2 * HOUR);
    expect(lines).toMatchObject([{ kind: "damaged_blob", domain: D }]);
    expect(await desk.refusal([commit])).toMatchObject({ code: "missing_shards", missing: { [D]: [id] } });
    expect(await desk.publish(people(2_000), SHARDS)).toBe(head);
    accepted(await add("new"));
    await advance(DAY + 2 * HOUR);
    expect((await headOf())?.fault).toBeNull();
  });

  it("that is gone is found too", async () => {
    await desk.publish(people(2_000), SHARDS);
    await advance(MINUTE);
    const id = await first();
    storage().sql("DELETE FROM blobs WHERE domain = ? AND id = ?", D, id);
    await advance(DAY + 2 * HOUR);
    expect(lines).toMatchObject([{ kind: "missing_blob", domain: D, detail: expect.stringContaining(id) }]);
  });

  it("that was put again for the present list stays as long as that", async () => {
    await desk.publish(people(2_000), SHARDS);
    const id = await first();
    storage().sql("DELETE FROM blobs WHERE domain = ? AND id = ?", D, id);
    await desk.publish(people(2_000), SHARDS);
    await advance(3 * DAY);
    expect(storage().sql("SELECT 1 FROM blobs WHERE domain = ? AND id = ?", D, id)).toHaveLength(1);
  });
});

/* How much a domain and a token may store, what happens past it, and how it is freed. */
import { beforeEach, describe, expect, it } from "vitest";
import { blobIds, encodeShard, toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { noteUpload } from "../../src/registry/blobs/room.ts";
import { rememberedResult, rememberResult } from "../../src/registry/changes/patch-keys.ts";
import { pack, people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const OTHER = "example.net";
const MB = 1_000_000;
let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
  await desk.publish(people(10));
  await desk.publish(people(10), { domain: OTHER });
});

const sql = (statement: string, ...bindings: (string | number)[]) =>
  desk.world.registry().sql(statement, ...bindings);
const now = (): number => desk.world.clock.now();

/** Some shard that was never seen. */
function shard(seed: number): readonly [id: string, bytes: Uint8Array] {
  const bytes = encodeShard({ tails: Float64Array.of(seed), states: Uint8Array.of(0) }, 1, 0);
  return [toHex(stablelibHashing.sha256(bytes)), bytes];
}
const upload = (seed: number, by = "t1", domain = D) => desk.core.putShard(domain, ...shard(seed), by);

/** Uploads of so many megabytes that no commit names. */
const uploaded = (mb: number, by = "t1", domain = D) =>
  sql("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", domain, `${by} ${mb}`, by, mb * MB, now() + DAY);
/** What is stored of a domain, as measured now. */
const stores = (mb: number, domain = D) =>
  sql("INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", domain, mb * MB, now());

const full = (message: RegExp, domain = D) => ({
  code: "storage_full",
  domain,
  message: expect.stringMatching(message),
});

describe("uploads that no commit names", () => {
  it("are bounded by domain, and those of others are not; a day later they are gone", async () => {
    uploaded(127.9);
    accepted(await upload(1));
    uploaded(0.2, "t2");
    const what =
      /^example\.com: its uploads that no commit names have 128 MB, and may have 128 MB: commit them, or wait/;
    expect(refused(await upload(2))).toMatchObject(full(what));
    expect(refused(await upload(2, "admin"))).toMatchObject(full(what));
    // One that is there takes no room.
    accepted(await upload(1));
    accepted(await upload(2, "t1", OTHER));
    await desk.world.clock.advance(DAY + MINUTE);
    accepted(await upload(2));
    expect(sql("SELECT id FROM uploads WHERE domain = ?", D)).toEqual([{ id: shard(2)[0] }]);
  });

  it("are not counted once they have expired, also before they are pruned", async () => {
    uploaded(127.9);
    sql("UPDATE uploads SET expires = ?", now());
    uploaded(100);
    accepted(await upload(1));
    expect(sql("SELECT count(*) AS n FROM uploads WHERE expires <= ?", now())[0]?.n).toBe(1);
  });

  it("are bounded by token, over all of its domains", async () => {
    for (let i = 0; i < 5; i++) uploaded(102.4, "t1", `d${i}.example`);
    const what = /uploads of this token that no commit names have 512 MB, and may have 512 MB/;
    expect(refused(await upload(1))).toMatchObject(full(what));
    accepted(await upload(1, "t2"));
    accepted(await upload(2, "admin"));
  });

  it("are not counted any more once a commit names them", async () => {
    const { key, policy } = {
      key: desk.world.keyFor(D, 1),
      policy: (await desk.head())?.policy ?? expect.fail(),
    };
    const packed = pack(people(1_000), key, policy, { bits: 2 });
    await desk.publish(people(1_000), { bits: 2 });
    expect(blobIds(packed.table)).toHaveLength(4);
    expect(sql("SELECT count(*) AS n FROM blobs WHERE domain = ?", D)[0]?.n).toBe(4);
    expect(sql("SELECT * FROM uploads")).toEqual([]);
  });

  it("may be more if the list is long, which another key replaces as a whole", async () => {
    uploaded(128.1);
    expect(refused(await upload(1)).code).toBe("storage_full");
    sql("UPDATE summaries SET active = 10000000, bits = 11 WHERE domain = ?", D);
    accepted(await upload(1));
    uploaded(124.1, "t2");
    expect(refused(await upload(2))).toMatchObject(full(/may have 252 MB/));
  });

  it("leave room for a first list of 10 million names, broken off and begun again under another key", () => {
    const { storage } = desk.world.registry();
    for (let i = 0; i < 2 * 1_221; i++) {
      noteUpload(storage, { domain: "new.example", id: `${i}`, by: "t1", size: 42_000 }, now());
    }
    expect(sql("SELECT count(*) AS n FROM uploads")[0]?.n).toBe(2_442);
  });
});

describe("a domain that stores too much", () => {
  const what =
    /^example\.com: its lists and their history have 2001 MB, and may have 2000 MB: publish less often, or wait/;

  it("gets no commit, change or upload, but a rollback and a deletion; what others publish stays possible", async () => {
    await desk.publish(people(11));
    const commit = await desk.prepare(people(12));
    stores(2_001);
    expect(await desk.refusal([commit])).toMatchObject(full(what));
    expect(refused(await upload(1))).toMatchObject(full(what));
    const change = desk.core.patch(await desk.changes({ new: 0 }), "t1", null);
    expect(refused(await desk.world.clock.run(change))).toMatchObject(full(what));
    await desk.publish(people(11), { domain: OTHER });
    stores(2_001);
    accepted(await desk.rollback({ to: 1, expect: commit.expect ?? 0 }));
    await desk.remove();
  });

  it("is measured again after a minute", async () => {
    stores(2_001);
    const commit = await desk.prepare(people(11)).catch(() => null);
    expect(commit).not.toBeNull();
    await desk.world.clock.advance(MINUTE);
    await desk.publish(people(11));
    expect(sql("SELECT bytes FROM usage WHERE domain = ?", D)[0]?.bytes).toBeLessThan(10_000);
  });

  it("may have less while the Registry is nearly full", async () => {
    stores(65);
    await desk.publish(people(11));
    desk.world.registry().takes(9_000 * MB);
    stores(65);
    expect(await desk.refusal([await desk.prepare(people(12))])).toMatchObject(
      full(/^the Registry is nearly full, so example\.com, which has 65 MB, may add nothing/),
    );
    await desk.publish(people(12), { domain: OTHER });
  });

  it("keeps only the last generation of each day, except of the last one", async () => {
    for (let hour = 0; hour < 72; hour += 8) {
      await desk.publish([...people(10), `u${100 + hour}`]);
      await desk.world.clock.advance(8 * HOUR);
    }
    const count = () => sql("SELECT count(*) AS n FROM generations WHERE domain = ?", D)[0]?.n;
    expect(count()).toBe(10);
    stores(1_001);
    await desk.publish(people(10));
    sql("UPDATE meta SET value = 0 WHERE name = 'thinned'");
    stores(1_001);
    await desk.world.clock.advance(HOUR);
    expect(count()).toBe(6);
    expect(sql("SELECT number FROM generations WHERE domain = ? ORDER BY number LIMIT 1", D)).not.toEqual([]);
  });
});

it("the status of a Registry shows its size, and the domains that use more than half of what they may", async () => {
  desk.world.registry().takes(5_000 * MB);
  uploaded(65);
  stores(1_200, OTHER);
  expect(accepted(await desk.core.status())).toMatchObject({
    bytes: 5_000 * MB,
    usage: [
      {
        domain: D,
        kept: expect.any(Number),
        kept_most: 2_000 * MB,
        uploads: 65 * MB,
        uploads_most: expect.any(Number),
      },
      { domain: OTHER, kept: 1_200 * MB, uploads: 0 },
    ],
  });
});

it("the keys of single changes that one domain uses push out none of another's", () => {
  const { storage } = desk.world.registry();
  const remember = (domain: string, key: string): void =>
    rememberResult(
      storage,
      { key, digest: key },
      { domain, generation: 1, added: 1, removed: 0, changed: 0 },
      now(),
    );
  const knows = (domain: string, key: string): boolean => {
    return rememberedResult(storage, domain, { key, digest: key }, now()) !== null;
  };
  remember(OTHER, "first");
  remember(D, "first");
  storage.sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49900)
       INSERT INTO patch_keys (domain, key, time, digest, result) SELECT ?, i, ?, '', '{}' FROM n`,
    D,
    now(),
  );
  for (let i = 0; i < 700; i++) remember(D, `last ${i}`);
  expect([knows(OTHER, "first"), knows(D, "first"), knows(D, "last 0"), knows(D, "last 699")]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(sql("SELECT count(*) AS n FROM patch_keys WHERE domain = ?", D)[0]?.n).toBeLessThanOrEqual(50_500);
});

/* The guard's ledger in the Registry's tables. test/consistency/guard.test.ts shows what it protects. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { PlannedDomain } from "../../src/api/index.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  concatBytes,
  decodeLists,
  encodeLists,
  encodeTails,
  fingerprint,
  type GuardedList,
  MAX_GUARDED_LISTS,
  type ManifestRecord,
  tailOf,
  toBase64Url,
} from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const sql = (statement: string, ...bindings: unknown[]) =>
  desk.world.registry().sql(statement, ...(bindings as never[]));
const ledger = (): GuardedList[] =>
  decodeLists((sql("SELECT lists FROM guard_ledgers")[0]?.lists ?? expect.fail("no ledger")) as Uint8Array);
const setLedger = (lists: readonly GuardedList[]) =>
  sql("UPDATE guard_ledgers SET lists = ?", encodeLists(lists));
const seconds = (): number => Math.ceil(desk.world.clock.now() / 1000);

async function refusal(list: readonly string[], options: Parameters<Desk["prepare"]>[1] = {}) {
  const error = await desk.refusal([await desk.prepare(list, options)]);
  expect(error.code).toBe("guard");
  return error.refusals?.[D];
}

const tails = (names: readonly string[]): string => {
  const key = desk.world.keyFor(D);
  return toBase64Url(
    encodeTails(Float64Array.from(names, (name) => tailOf(fingerprint(key.names, name))).sort()),
  );
};
const planned = (changes: Partial<PlannedDomain> = {}): PlannedDomain => ({
  domain: D,
  expect: 1,
  key_id: desk.world.keyFor(D).id,
  canonicaliser: CANONICALISER_VERSION,
  accepted: 5,
  names: { gone: tails(people(5, 5)), back: tails([]) },
  ...changes,
});

describe("the ledger", () => {
  it("holds each list of the day, with what it lost and when it was replaced", async () => {
    await desk.publish(people(10));
    expect(ledger()).toEqual([{ generation: 1, accepted: 10, lost: 0, superseded: null }]);
    await desk.world.clock.advance(HOUR);
    const replaced = seconds();
    await desk.publish(people(9));
    expect(ledger()).toEqual([
      { generation: 1, accepted: 10, lost: 1, superseded: replaced },
      { generation: 2, accepted: 9, lost: 0, superseded: null },
    ]);
  });

  it("is what the guard judges by", async () => {
    await desk.publish(people(100));
    setLedger([{ generation: 1, accepted: 100, lost: 19, superseded: null }]);
    expect(await refusal(people(98))).toMatch(/^would refuse 21 of 100 names \(/);
    expect(await desk.publish(people(99))).toBe(2);
  });

  it("that is a day old is computed again", async () => {
    await desk.publish(people(100));
    setLedger([{ generation: 1, accepted: 100, lost: 19, superseded: null }]);
    await desk.world.clock.advance(DAY);
    expect(await refusal(people(98))).toMatch(/^would refuse 21 of 100/);
    await desk.world.clock.advance(1);
    expect(await desk.publish(people(98))).toBe(2);
  });

  it.each([
    ["is old", "UPDATE guard_ledgers SET updated = 0"],
    ["is damaged", "UPDATE guard_ledgers SET lists = x'010203'"],
  ])("that %s is computed again without the spans that it left", async (_, statement) => {
    await desk.publish(people(100));
    await desk.publish(people(90));
    await desk.publish(people(100));
    sql(statement);
    expect(await refusal(people(79))).toMatch(/^would refuse 21 of 100 names \(/);
    await desk.publish(people(80));
    expect(ledger().map(({ lost }) => lost)).toEqual([20, 10, 20, 0]);
  });

  it("that ends in a list which history does not have is computed again", async () => {
    await desk.publish(people(100));
    setLedger([{ generation: 7, accepted: 100, lost: 90, superseded: null }]);
    await desk.publish(people(90));
    expect(ledger().map(({ generation, lost }) => [generation, lost])).toEqual([
      [1, 10],
      [2, 0],
    ]);
  });

  it("knows when a deletion ended a list", async () => {
    await desk.publish(people(10));
    await desk.world.clock.advance(HOUR);
    await desk.remove();
    const deleted = seconds();
    await desk.world.clock.advance(HOUR);
    await desk.publish(people(9));
    expect(ledger()).toEqual([
      { generation: 1, accepted: 10, lost: 1, superseded: deleted },
      { generation: 3, accepted: 9, lost: 0, superseded: null },
    ]);
  });

  it("starts with the newest key, whether it is kept or computed again", async () => {
    await desk.publish(people(100));
    await desk.publish(people(95));
    await desk.publish(people(70), { epoch: 2, force: true });
    expect(sql("SELECT * FROM guard_spans")).toEqual([]);
    expect(ledger()).toEqual([{ generation: 3, accepted: 70, lost: 0, superseded: null }]);
    sql("DELETE FROM guard_ledgers");
    expect(await refusal(people(55))).toMatch(/^would refuse 15 of 70 names \(/);
    expect(await desk.publish(people(56))).toBe(4);
    expect(ledger()).toEqual([
      { generation: 3, accepted: 70, lost: 14, superseded: seconds() },
      { generation: 4, accepted: 56, lost: 0, superseded: null },
    ]);
  });

  describe("that lacks a commit under another spelling", () => {
    const tables = ["guard_ledgers", "guard_spans"] as const;

    /** Commits it without the ledger. */
    async function publishWithout(list: readonly string[]): Promise<void> {
      const before = tables.map((table) => sql(`SELECT * FROM ${table}`));
      await desk.publish(list, { policy: { case: "sensitive" }, force: true });
      tables.forEach((table, i) => {
        sql(`DELETE FROM ${table}`);
        for (const row of before[i] ?? []) {
          const columns = Object.keys(row);
          const places = columns.map(() => "?").join(", ");
          sql(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
        }
      });
    }

    it("counts a name that was gone before it, and is listed by it", async () => {
      await desk.publish(people(10));
      await desk.publish(people(9));
      await publishWithout(people(10));
      expect(await refusal(people(7))).toMatch(/^would refuse 3 of 10 names \(/);
    });

    it("does not count a name that was listed before it, and is not listed by it", async () => {
      await desk.publish(people(10));
      await desk.publish(people(9));
      await desk.publish(people(10));
      await publishWithout(people(9));
      expect(await refusal([...people(7), ...people(10).slice(9)])).toMatch(/^would refuse 2 of 9 names \(/);
    });
  });

  it("that is computed again has the times of the generations", async () => {
    await desk.publish(people(10));
    await desk.world.clock.advance(HOUR);
    const first = seconds();
    await desk.publish(people(10, 1));
    await desk.world.clock.advance(HOUR);
    sql("DELETE FROM guard_ledgers");
    sql("DELETE FROM guard_spans");
    await desk.publish(people(10, 2));
    expect(ledger()).toEqual([
      { generation: 1, accepted: 10, lost: 2, superseded: first },
      { generation: 2, accepted: 10, lost: 1, superseded: seconds() },
      { generation: 3, accepted: 10, lost: 0, superseded: null },
    ]);
  });

  it("that is computed again begins behind a list that is damaged", async () => {
    for (const count of [100, 90, 80]) await desk.publish(people(count), { force: true });
    sql("UPDATE generations SET manifest = zeroblob(length(manifest)) WHERE number = 2");
    sql("DELETE FROM guard_ledgers");
    await desk.publish(people(79));
    expect(ledger().map(({ generation, lost }) => [generation, lost])).toEqual([
      [3, 1],
      [4, 0],
    ]);
  });

  it("that is computed again begins behind a list of which a part is lost", async () => {
    await desk.publish(people(100), { bits: 1 });
    const lost = blobIds((await desk.head())?.shards as ManifestRecord["shards"]);
    await desk.publish(people(90, 5), { bits: 1 });
    const kept = blobIds((await desk.head())?.shards as ManifestRecord["shards"]);
    sql("DELETE FROM guard_ledgers");
    for (const id of lost.filter((each) => !kept.includes(each))) sql("DELETE FROM blobs WHERE id = ?", id);
    await desk.publish(people(89, 5), { bits: 1 });
    expect(ledger().map(({ generation, lost: count }) => [generation, count])).toEqual([
      [2, 1],
      [3, 0],
    ]);
  });

  it.each([
    ["of a list", /SELECT bytes FROM blobs/],
    ["of its spans", /SELECT .* FROM guard_spans/],
    ["of its lists", /SELECT .* FROM guard_ledgers/],
  ])(
    "is not taken for damaged, and computed again, because the storage failed once: a read %s",
    async (_, read) => {
      await desk.publish(people(100), { bits: 1 });
      await desk.publish(people(90, 5), { bits: 1 });
      if (read.source.includes("blobs")) sql("DELETE FROM guard_ledgers");
      const { storage } = desk.world.registry();
      const real = storage.sql.bind(storage);
      let reads = 0;
      // Each of them in turn.
      let failing = 1;
      vi.spyOn(storage, "sql").mockImplementation((text, ...bindings) => {
        if (read.test(text) && ++reads === failing) throw new Error("disk I/O error");
        return real(text, ...bindings);
      });
      for (; ; failing++) {
        reads = 0;
        const outcome = await desk.plan([planned({ expect: 2 })]).then(
          () => "judged",
          (error: Error) => error.message,
        );
        if (reads < failing) break;
        expect(outcome).toBe("disk I/O error");
      }
      expect(failing).toBeGreaterThan(1);
    },
  );

  it("splits its spans where they are many, and finds them again", async () => {
    await desk.publish(people(10_000), { policy: { guard: 0.95 }, force: true });
    await desk.publish(people(1_000));
    expect(sql("SELECT bits FROM guard_ledgers")).toEqual([{ bits: 1 }]);
    expect(sql("SELECT sum(spans) AS n, count(*) AS buckets FROM guard_spans")).toEqual([
      { n: 9_000, buckets: 2 },
    ]);
    await desk.publish(people(9_000));
    expect(ledger().map(({ lost }) => lost)).toEqual([1_000, 0, 0]);
  });

  /** A ledger that holds as many lists as it can, up to a head of ten names. */
  const fullLedger = (head: number) =>
    Array.from({ length: MAX_GUARDED_LISTS }, (_, i) => ({
      generation: head - MAX_GUARDED_LISTS + 1 + i,
      accepted: 10,
      lost: 0,
      superseded: i === MAX_GUARDED_LISTS - 1 ? null : seconds(),
    }));

  it("does not keep a person from changing the mode, however many lists the day had", async () => {
    sql("UPDATE meta SET value = 100000 WHERE name = 'number'");
    setLedger(fullLedger(await desk.publish(people(10))));
    accepted(await desk.core.setMode(D, { mode: "observe" }, "tester", null));
    expect((await desk.head())?.mode).toBe("observe");
  });

  it("takes so many lists a day, and starts over with an override", async () => {
    sql("UPDATE meta SET value = 100000 WHERE name = 'number'");
    const head = await desk.publish(people(10));
    const full = fullLedger(head);
    setLedger(full);
    expect(await refusal(people(11))).toBe(
      "is generation 65537 of the domain within 24 h, more than can be compared; publish it less often",
    );
    setLedger(full.slice(1));
    await desk.publish(people(11));
    expect(ledger()).toHaveLength(MAX_GUARDED_LISTS);
    await desk.publish(people(9), { force: true });
    expect(ledger()).toEqual([{ generation: head + 2, accepted: 9, lost: 0, superseded: null }]);
    expect(sql("SELECT * FROM guard_spans")).toEqual([]);
  });
});

describe("the guard refuses", () => {
  it("a list under another key or spelling, for as long as the old one is protected", async () => {
    await desk.publish(people(3));
    expect(await refusal(people(2), { epoch: 2 })).toBe(
      "is made under another key or spelling: 3 names cannot be compared with the 2 new ones",
    );
    await desk.remove();
    expect(await refusal(people(2), { epoch: 2 })).toMatch(/another key/);
    await desk.world.clock.advance(DAY + HOUR);
    expect(await desk.publish(people(2), { epoch: 2 })).toBe(3);
  });

  it("a list that follows one of another canonicaliser", async () => {
    await desk.publish(people(3));
    const [row] = sql("SELECT manifest FROM generations");
    const manifest = Buffer.from(row?.manifest as Uint8Array);
    const text = manifest.toString("latin1").replace('"canonicaliser":1', '"canonicaliser":9');
    const body = new Uint8Array(Buffer.from(text, "latin1")).subarray(0, -32);
    sql("UPDATE generations SET manifest = ?", concatBytes([body, desk.world.keyFor(D).manifest(body)]));
    expect(await refusal(people(4))).toMatch(/^is made under another key or spelling: 3 names/);
    await desk.commit([await desk.prepare(people(4))], { force: true });
    expect((await desk.head())?.departures.count).toBe(0);
    expect(refused(await desk.rollback({ to: 1, expect: 2 }))).toMatchObject({
      code: "bad_request",
      domain: D,
      message: expect.stringContaining("another master key or canonicaliser"),
    });
  });

  it("an empty list, unless a catch-all or an alias answers for it", async () => {
    expect(await refusal([])).toBe("is empty: every recipient would be refused");
    await desk.publish(people(3));
    expect(await refusal([])).toBe("would refuse all 3 names");
    await desk.publish([], { domain: "catchall.example", policy: { catchall: true } });
    await desk.publish([], { domain: "alias.example", policy: { alias: D } });
  });

  it("by the share that applies now, not by one that comes with the commit", async () => {
    await desk.publish(people(10), { policy: { guard: 0.9 }, force: true });
    expect(await desk.publish(people(6), { policy: { guard: 0.3 } })).toBe(2);
    await desk.remove();
    expect(await refusal(people(4))).toMatch(/more than 30 %$/);
    expect(await refusal(people(6), { policy: { guard: 0.5 } })).toMatch(/^changes guard/);
  });

  it("behind a deletion by the share of the list before it", async () => {
    await desk.publish(people(10));
    await desk.remove();
    expect(await desk.publish(people(8), { policy: { guard: 0.1 } })).toBe(3);
  });
});

describe("a plan", () => {
  it("is judged as its commit would be, and changes nothing", async () => {
    await desk.publish(people(10));
    const before = ledger();
    const half = "would refuse 5 of 10 names (50.0 %), more than 20 %";
    expect(accepted(await desk.plan([planned()]))).toEqual({ refusals: { [D]: half } });
    const whole = planned({ names: { accepted: tails(people(5)) } });
    expect(accepted(await desk.plan([whole]))).toEqual({ refusals: { [D]: half } });
    const one = planned({ accepted: 9, names: { gone: tails(people(1)), back: tails([]) } });
    expect(accepted(await desk.plan([one]))).toEqual({ refusals: { [D]: null } });
    expect(ledger()).toEqual(before);
    expect(await desk.head()).toMatchObject({ generation: 1 });
  });

  it("is judged for each of its domains", async () => {
    await desk.publish(people(10));
    await desk.publish(people(3), { domain: "other.example" });
    const empty = planned({
      domain: "other.example",
      expect: 2,
      key_id: desk.world.keyFor("other.example").id,
      accepted: 0,
      names: { accepted: "" },
    });
    expect(accepted(await desk.plan([planned(), empty]))).toEqual({
      refusals: { [D]: expect.stringContaining("5 of 10"), "other.example": "would refuse all 3 names" },
    });
  });

  it("is refused as its commit would be", async () => {
    await desk.publish(people(10));
    expect(refused(await desk.plan([planned({ expect: 7 })]))).toMatchObject({ code: "conflict", head: 1 });
    const old = planned({ canonicaliser: 2 });
    expect(refused(await desk.plan([old]))).toMatchObject({ code: "bad_request", domain: D });
    const damaged = planned({ names: { gone: "AAA", back: "" } });
    expect(refused(await desk.plan([damaged]))).toMatchObject({ code: "bad_request", domain: D });
    const policy = planned({ policy: { guard: 7 } });
    expect(refused(await desk.plan([policy]))).toMatchObject({ code: "bad_request", domain: D });
    const other = planned({ key_id: "0123456789abcdef" });
    expect(accepted(await desk.plan([other]))).toEqual({
      refusals: { [D]: expect.stringContaining("another key") },
    });
  });
});

describe("a list whose blobs are lost", () => {
  it("makes a commit unavailable, by the name of the blob and the domain", async () => {
    await desk.publish(people(10), { bits: 1 });
    const next = await desk.prepare(people(11));
    sql("DELETE FROM blobs");
    expect(await desk.refusal([next])).toEqual({
      code: "unavailable",
      domain: D,
      message: expect.stringMatching(
        new RegExp(`^${D}: blob [0-9a-f]{64} is missing in the Registry: publish`),
      ),
    });
  });

  it("makes a plan unavailable", async () => {
    await desk.publish(people(10), { bits: 1 });
    sql("DELETE FROM blobs");
    const whole = planned({ names: { accepted: tails(people(10)) } });
    expect(refused(await desk.plan([whole]))).toMatchObject({ code: "unavailable", domain: D });
  });
});

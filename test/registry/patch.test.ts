/* Single changes, as the Registry alone makes them. */
import { beforeEach, describe, expect, it } from "vitest";
import type { PatchResult, Result } from "../../src/api/index.ts";
import {
  blobsOf,
  decodePatched,
  encodeKept,
  fingerprint,
  fingerprintIn,
  type ManifestRecord,
  type PatchedName,
  readManifest,
  shardOf,
  toBase64Url,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { type PatchHost, patchTogether } from "../../src/registry/commits/patch.ts";
import { Records } from "../../src/registry/generations/records.ts";
import type { Changed, MailboxChanges, PatchedNames } from "../../src/registry/protocol.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const ACTIVE = 0;
const GONE = -1;

const changesOf = (...given: Parameters<Desk["changes"]>): Promise<MailboxChanges> => desk.changes(...given);

/** What a batch of changes works with at this moment. */
function context(): ReturnType<PatchHost["context"]> {
  const { storage } = desk.world.registry();
  const proof = {
    hashing: stablelibHashing,
    keyFor: (domain: string, epoch: number) => desk.world.keyFor(domain, epoch),
  };
  return {
    storage,
    records: new Records(storage, proof),
    ...proof,
    now: desk.world.clock.now(),
    reach: null,
  };
}

const send = (changes: MailboxChanges): Promise<Result<Changed<PatchResult>>> =>
  desk.world.clock.run(desk.core.patch(changes, "tester", null));

const patch = async (names: Readonly<Record<string, number>>, more: Partial<MailboxChanges> = {}) =>
  accepted(await send(await changesOf(names, more))).result;

const rows = (table: string): number =>
  desk.world.registry().sql(`SELECT count(*) AS n FROM ${table}`)[0]?.n as number;

/** A kept name as a commit has it. */
const keptAs = ({ fingerprint }: PatchedName, listed: number): string =>
  toBase64Url(encodeKept([{ fingerprint, listed }]));

describe("single changes", () => {
  it("made under another key, policy or canonicaliser than the head are sent back", async () => {
    await desk.publish(people(10));
    const head = (await desk.head()) as ManifestRecord;
    await desk.publish(people(10), { epoch: 2, force: true });
    expect(refused(await send(await changesOf({ new: ACTIVE }, {}, head))).code).toBe("conflict");
    const before = (await desk.head()) as ManifestRecord;
    await desk.publish(people(10), { policy: { dots: "ignored" }, force: true });
    expect(refused(await send(await changesOf({ "n.ew": ACTIVE }, {}, before))).code).toBe("conflict");
    expect(refused(await send(await changesOf({ new: ACTIVE }, { canonicaliser: 2 }))).code).toBe("conflict");
    expect(await patch({ new: ACTIVE })).toMatchObject({ added: 1 });
  });

  it("start again if the head moves while shards are rebuilt, and are judged against the new list", async () => {
    const names = people(3_000);
    await desk.publish(names, { bits: 7 });
    const many = Object.fromEntries(people(200, 5_000).map((name) => [name, ACTIVE]));
    const changes = await changesOf(many);
    const next = await desk.prepare(names.slice(0, 2_900), { bits: 7 });
    let pauses = 0;
    const host: PatchHost = {
      // While others have their turn, a publish is committed.
      timers: { sleep: async () => void (pauses++ === 0 && (await desk.commit([next]))) },
      context,
      changed: (work) => ({ result: work(), incarnation: 1, number: 3 }),
      failed: () => undefined,
    };
    const [answer] = await patchTogether(host, [changes], "tester");
    expect(pauses).toBeGreaterThan(4);
    expect(accepted(answer as Result<Changed<PatchResult>>).result).toMatchObject({
      added: 200,
      generation: 3,
    });
    expect((await desk.head())?.counts.active).toBe(3_100);
  });

  it("that wait together are one generation, and each of them is judged after those before it", async () => {
    await desk.publish(people(10));
    const sent = [{ u0: GONE }, { u1: GONE }, { u2: GONE }, { u0: ACTIVE }, { u2: GONE }, { u3: GONE }];
    const changes = await Promise.all(sent.map((names) => changesOf(names)));
    const together = Promise.all(changes.map((each) => desk.core.patch(each, "tester", null)));
    const results = await desk.world.clock.run(together);
    expect(results.map((result) => (result.ok ? result.value.result.generation : result.error.code))).toEqual(
      [2, 2, "guard", 2, 2, "guard"],
    );
    expect((await desk.head())?.counts.active).toBe(8);
    expect(rows("generations")).toBe(2);
  });

  it("make an inline shard a blob past 16,384 names, and are refused at 65,535", async () => {
    await desk.publish(people(16_384), { bits: 0 });
    await patch({ [people(1, 16_384)[0] as string]: ACTIVE });
    const head = await desk.head();
    expect(head).toMatchObject({ counts: { active: 16_385 }, shards: { bits: 0, inline: null } });
    const whole = await desk.prepare(people(65_535), { bits: 0 });
    await desk.commit([{ ...whole, patched_kept: "" }], { force: true });
    expect(refused(await send(await changesOf({ more: ACTIVE }))).code).toBe("repack_needed");
    expect(await patch({ u7: 1 })).toMatchObject({ changed: 1 });
    // Of several together, one that does not fit leaves no trace, and one that goes makes room.
    const sent = [{ more: ACTIVE }, { u8: GONE }, { one: ACTIVE, two: ACTIVE }, { three: ACTIVE }];
    const changes = await Promise.all(sent.map((names) => changesOf(names)));
    const together = Promise.all(changes.map((each) => desk.core.patch(each, "tester", null)));
    const results = await desk.world.clock.run(together);
    expect(results.map((result) => (result.ok ? "ok" : result.error.code))).toEqual([
      "repack_needed",
      "ok",
      "repack_needed",
      "ok",
    ]);
    expect((await desk.head())?.counts).toMatchObject({ active: 65_534, disabled: 1 });
  });

  it.each([
    ["that the guard allows", ACTIVE, 1_000, 30],
    // Each is judged after those before it.
    ["that the guard stops", GONE, 400, 250],
  ])("let others have their turn while a thousand are judged, %s", async (_, state, made, pauses) => {
    await desk.publish(people(2_000));
    let turns = 0;
    const host: PatchHost = {
      timers: { sleep: async () => void turns++ },
      context,
      changed: (work) => ({ result: work(), incarnation: 1, number: 2 }),
      failed: () => undefined,
    };
    const names = people(1_000, state === ACTIVE ? 5_000 : 0);
    const patches = await Promise.all(names.map((name) => changesOf({ [name]: state })));
    const answers = await patchTogether(host, patches, "tester");
    expect(answers.filter(({ ok }) => ok)).toHaveLength(made);
    expect(turns).toBeGreaterThanOrEqual(pauses);
    expect((await desk.head())?.counts.active).toBe(2_000 + (state === ACTIVE ? made : -made));
  });

  describe("and the rows of shards, which are large", () => {
    const NEVER = 2 ** 47 - 1;
    interface Row {
      readonly expires: number;
      readonly named_from: number;
    }
    const sql = (statement: string) => desk.world.registry().sql(statement);
    const shards = () =>
      new Map(
        sql("SELECT id, expires, named_from FROM blobs").map(({ id, expires, named_from }) => [
          id as string,
          { expires, named_from } as Row,
        ]),
      );
    const since = (before: ReadonlyMap<string, Row>) => [...shards()].filter(([id]) => !before.has(id));
    const changed = (before: ReadonlyMap<string, Row>) => {
      const now = shards();
      return [...before].filter(([id, row]) => JSON.stringify(now.get(id)) !== JSON.stringify(row));
    };

    beforeEach(async () => {
      await desk.publish(people(3_000), { bits: 2 });
    });

    it("stay as they are in the transaction; an alarm notes later which of them the head left", async () => {
      const before = shards();
      const { time } = (await desk.head()) as ManifestRecord;
      await patch({ u1: GONE, new: ACTIVE });
      expect(changed(before)).toEqual([]);
      const rebuilt = since(before);
      expect(rebuilt.length).toBeGreaterThan(0);
      for (const [, row] of rebuilt) expect(row).toEqual({ expires: NEVER, named_from: 2 });
      await desk.world.clock.advance(2 * HOUR);
      expect(since(before)).toEqual(rebuilt);
      const left = changed(before);
      expect(left).toHaveLength(rebuilt.length);
      for (const [id] of left) {
        expect(shards().get(id)?.named_from).toBe(-1);
        expect(shards().get(id)?.expires).toBeGreaterThan(time + 29 * DAY);
        expect(shards().get(id)?.expires).toBeLessThan(time + 31 * DAY);
      }
      expect(rows("blob_spans")).toBe(left.length);
      // History has all that it needs, and no more.
      await desk.world.clock.advance(40 * DAY);
      expect(rows("blobs")).toBe(4);
      expect(rows("left_blobs") + rows("kv_replaced")).toBe(0);
    });

    it("are changed in place: SQLite writes a row as a whole if its length changes", async () => {
      /** Octets of an integer in SQLite's record format. */
      const octets = (value: number): number =>
        value === 0 || value === 1
          ? 0
          : ([8, 16, 24, 32, 48].find(
              (bits) => value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1),
            ) as number) / 8;
      const first = shards();
      const lengths = () =>
        new Map(since(first).map(([id, row]) => [id, octets(row.expires) + octets(row.named_from)]));
      // Past the numbers whose negatives have another length.
      for (let i = 0; i < 3; i++) await desk.publish(people(10 + i), { force: true });
      const next = await desk.prepare(people(3_000, 5_000), { bits: 2 });
      const uploaded = lengths();
      await desk.commit([next], { force: true });
      for (const [id, length] of uploaded) expect([id, lengths().get(id)]).toEqual([id, length]);
      await patch({ u5001: GONE, u5002: GONE, new: ACTIVE });
      const made = lengths();
      expect(made.size).toBeGreaterThan(uploaded.size);
      await desk.world.clock.advance(2 * HOUR);
      expect(lengths()).toEqual(made);
      expect(new Set(made.values()).size).toBe(1);
    });

    it("expire if no commit names them", async () => {
      const before = shards();
      const changes = await changesOf({ new: ACTIVE });
      const host: PatchHost = {
        timers: { sleep: async () => undefined },
        context,
        changed: () => {
          throw new Error("the object was replaced");
        },
        failed: () => undefined,
      };
      await expect(patchTogether(host, [changes], "tester")).rejects.toThrow("replaced");
      expect(since(before)).toHaveLength(1);
      await desk.world.clock.advance(2 * HOUR);
      expect(since(before)[0]?.[1].expires).toBeLessThan(NEVER);
      expect(rows("blob_spans")).toBe(0);
      await desk.world.clock.advance(40 * DAY);
      expect(since(before)).toEqual([]);
      expect(changed(before)).toEqual([]);
    });

    it("leave KV only once their rows say that the head left them", async () => {
      await patch({ new: ACTIVE });
      await desk.world.clock.advance(MINUTE / 2);
      expect(rows("left_blobs")).toBe(1);
      const inKv = () => sql("SELECT id FROM blobs WHERE in_kv > 0").length;
      expect(inKv()).toBe(5);
      // More than one alarm settles comes before it.
      for (let i = 0; i < 300; i++) {
        sql(`INSERT INTO left_blobs VALUES ('${D}', '!${i}', 2, 0)`);
      }
      sql("UPDATE kv_replaced SET since = 0");
      await desk.world.clock.advance(2 * HOUR);
      expect(rows("left_blobs") + rows("kv_replaced")).toBe(0);
      expect(inKv()).toBe(4);
    });

    it("are kept if the head names them again before the alarm", async () => {
      const before = shards();
      await patch({ new: ACTIVE });
      await patch({ new: GONE }, { atOnce: true });
      expect(changed(before)).toEqual([]);
      await desk.world.clock.advance(40 * DAY);
      expect((await desk.head())?.counts.active).toBe(3_000);
      expect([...shards().keys()]).toEqual([...before.keys()]);
      for (const row of shards().values()) expect(row.expires).toBe(NEVER);
    });

    it("are kept if the head names them, even if a note says that it does not", async () => {
      await patch({ new: ACTIVE });
      sql("INSERT OR REPLACE INTO left_blobs SELECT domain, id, 1, 0 FROM blobs WHERE named_from = 2");
      await desk.world.clock.advance(2 * HOUR);
      const named = sql("SELECT expires FROM blobs WHERE named_from = 2");
      expect(named).toEqual([{ expires: NEVER }]);
      expect(rows("left_blobs")).toBe(0);
    });
  });

  it("are remembered by name until the list is published, unless a name is again as it was", async () => {
    await desk.publish(people(10));
    await patch({ new: ACTIVE, u1: 1 });
    await patch({ new: GONE, u1: 2, u2: GONE });
    expect(rows("patched_names")).toBe(2);
    const next = await desk.prepare(people(11));
    expect(await desk.refusal([next])).toMatchObject({ code: "patched_names" });
    await desk.commit([{ ...next, patched_kept: "" }]);
    expect(rows("patched_names")).toBe(0);
  });

  it("are asked about again if a publish keeps them, but not under another key", async () => {
    await desk.publish(people(10));
    await patch({ new: ACTIVE, other: ACTIVE });
    const { generation, names } = accepted(await desk.core.patched(D)) as PatchedNames;
    expect(generation).toBe(2);
    const [first] = decodePatched(names) as [PatchedName];
    expect(first).toMatchObject({ was: GONE, state: ACTIVE });
    const patched_kept = keptAs(first, GONE);
    const same = await desk.prepare([...people(10), "new", "other"]);
    expect(await desk.commit([{ ...same, patched_kept }])).toMatchObject({ unchanged: [D] });
    expect(rows("patched_names")).toBe(1);
    const rotated = await desk.prepare(people(10), { epoch: 2 });
    expect(await desk.refusal([{ ...rotated, patched_kept }])).toMatchObject({ code: "bad_request" });
    expect(rows("patched_names")).toBe(1);
    // Without them the list may be made under another key.
    await desk.commit([{ ...rotated, patched_kept: "" }], { force: true });
    expect(rows("patched_names")).toBe(0);
  });

  it("are not kept by a list that follows none", async () => {
    const name = fingerprintIn(fingerprint(desk.world.keyFor(D).names, "new"));
    const kept = { patched_kept: keptAs({ fingerprint: name, was: GONE, state: ACTIVE }, GONE) };
    const refusal = { code: "bad_request", domain: D };
    expect(await desk.refusal([{ ...(await desk.prepare(["new"])), ...kept }])).toMatchObject(refusal);
    await desk.publish(["new"]);
    await desk.remove();
    expect(await desk.refusal([{ ...(await desk.prepare(["new"])), ...kept }])).toMatchObject(refusal);
  });

  it("are forgotten only if a name is again as the last publish had it", async () => {
    await desk.publish(people(10));
    await patch({ new: ACTIVE });
    const [name] = decodePatched((accepted(await desk.core.patched(D)) as PatchedNames).names) as [
      PatchedName,
    ];
    const same = await desk.prepare([...people(10), "new"]);
    // Its publisher lists it as full.
    await desk.commit([{ ...same, patched_kept: keptAs(name, 2) }]);
    await patch({ new: GONE });
    expect(decodePatched((accepted(await desk.core.patched(D)) as PatchedNames).names)).toMatchObject([
      { was: 2, state: GONE },
    ]);
    await patch({ new: 2 });
    expect(rows("patched_names")).toBe(0);
  });

  it("are settled if a publisher lists them as they are, and refused if they cannot be read", async () => {
    await desk.publish(people(10));
    await patch({ new: ACTIVE });
    const [name] = decodePatched((accepted(await desk.core.patched(D)) as PatchedNames).names) as [
      PatchedName,
    ];
    const same = await desk.prepare([...people(10), "new"]);
    const torn = { ...same, patched_kept: toBase64Url(name.fingerprint) };
    expect(await desk.refusal([torn])).toMatchObject({ code: "bad_request" });
    expect(rows("patched_names")).toBe(1);
    await desk.commit([{ ...same, patched_kept: keptAs(name, ACTIVE) }]);
    expect(rows("patched_names")).toBe(0);
  });

  it("are settled by a rollback and by a deletion", async () => {
    await desk.publish(people(10));
    await patch({ new: ACTIVE });
    accepted(await desk.rollback({ to: 1, expect: 2 }));
    expect(rows("patched_names")).toBe(0);
    await patch({ new: ACTIVE });
    await desk.remove();
    expect(rows("patched_names")).toBe(0);
    expect(await desk.publish(people(10))).toBeGreaterThan(4);
  });

  it("are remembered by key for a day", async () => {
    await desk.publish(people(10));
    const idempotency = { key: "k", digest: "d" };
    const first = await patch({ new: ACTIVE }, { idempotency });
    expect(await patch({ new: ACTIVE }, { idempotency })).toEqual(first);
    const other = await changesOf({ u1: GONE }, { idempotency: { key: "k", digest: "e" } });
    expect(refused(await send(other)).code).toBe("bad_request");
    await desk.world.clock.advance(DAY + HOUR);
    expect(rows("patch_keys")).toBe(0);
    expect(await patch({ new: ACTIVE }, { idempotency })).toMatchObject({ added: 0 });
  });
});

describe("the history of single changes", () => {
  it("has all of an hour, one of each hour of a day, and then one of each day", async () => {
    await desk.publish(people(2_000), { bits: 3 });
    for (let hour = 0; hour < 50; hour++) {
      for (let i = 0; i < 3; i++) {
        await patch({ [`n${hour}-${i}`]: ACTIVE });
        await desk.world.clock.advance(20 * 60 * SECOND);
      }
    }
    const kept = desk.world.registry().sql("SELECT time FROM generations WHERE action = 'patch'");
    expect(kept.length).toBeGreaterThanOrEqual(25);
    expect(kept.length).toBeLessThan(35);
    // What only the thinned ones named is freed a day later.
    await desk.world.clock.advance(2 * DAY);
    const left = desk.world.registry().sql("SELECT manifest FROM generations");
    const named = left.flatMap(({ manifest }) => blobsOf(readManifest(manifest as Uint8Array, D)));
    expect(rows("blobs")).toBe(new Set(named).size);
    expect(left.length).toBeLessThan(8);
    const target = desk.world.registry().sql("SELECT number FROM generations ORDER BY number LIMIT 1");
    const head = await desk.head();
    accepted(await desk.rollback({ to: target[0]?.number as number, expect: head?.generation as number }));
    expect((await desk.head())?.counts.active).toBe(2_000);
  });

  it.each([
    ["the head", false],
    ["a generation that stays", true],
  ])("frees no part of a list that was named before, and that %s names again", async (_, isSuperseded) => {
    await desk.publish(people(2_000), { bits: 3 });
    const { names } = desk.world.keyFor(D);
    // All in one shard, so that its bytes come back when a name goes again.
    const [first, second, third] = people(500, 5_000).filter(
      (name) => shardOf(fingerprint(names, name), 3) === 0,
    ) as [string, string, string];
    await patch({ [first]: ACTIVE });
    await patch({ [second]: ACTIVE });
    const { generation } = await patch({ [second]: GONE }, { atOnce: true });
    await desk.world.clock.advance(2 * HOUR);
    if (isSuperseded) await patch({ [third]: ACTIVE });
    for (let hour = 0; hour < 60; hour++) await desk.world.clock.advance(HOUR);
    const kept = desk.world.registry().sql("SELECT number FROM generations ORDER BY number");
    expect(kept.map(({ number }) => number)).toEqual(
      isSuperseded ? [1, generation, generation + 1] : [1, generation - 1, generation],
    );
    const head = (await desk.head())?.generation as number;
    if (isSuperseded) accepted(await desk.rollback({ to: generation, expect: head }));
    expect((await desk.head())?.counts.active).toBe(2_001);
    expect(await patch({ [second]: ACTIVE })).toMatchObject({ added: 1 });
  });

  describe("frees no part of a list of which one span ended", () => {
    let part = "";
    /** Two single changes after a list. @returns the names */
    async function twoChanges(pause: number): Promise<[string, string]> {
      await desk.publish(people(2_000), { bits: 3 });
      const { names } = desk.world.keyFor(D);
      const found = people(500, 5_000).filter((name) => shardOf(fingerprint(names, name), 3) === 0);
      const [first, second] = found as [string, string];
      await patch({ [first]: ACTIVE });
      part = sql("SELECT id FROM blobs WHERE named_from = 2")[0]?.id as string;
      await desk.world.clock.advance(pause);
      await patch({ [second]: ACTIVE });
      return [first, second];
    }
    const sql = (query: string) => desk.world.registry().sql(query);
    /** First generations of the spans of the part that the first change made. */
    const spans = (): number[] =>
      sql(`SELECT first FROM blob_spans WHERE id = '${part}' ORDER BY first`).map(
        ({ first }) => first as number,
      );

    it("if the head names it again", async () => {
      const [, second] = await twoChanges(10 * MINUTE);
      await desk.world.clock.advance(3 * HOUR);
      expect(spans()).toEqual([2]);
      await patch({ [second]: GONE }, { atOnce: true });
      await desk.world.clock.advance(3 * HOUR);
      expect(spans()).toEqual([]);
      for (let hour = 0; hour < 60; hour++) await desk.world.clock.advance(HOUR);
      expect((await desk.head())?.counts.active).toBe(2_001);
      expect(await patch({ [second]: ACTIVE })).toMatchObject({ added: 1 });
    });

    it("if a generation of another span stays", async () => {
      const [, second] = await twoChanges(1.5 * HOUR);
      await desk.world.clock.advance(22.7 * HOUR);
      const { generation } = await patch({ [second]: GONE }, { atOnce: true });
      await desk.world.clock.advance(HOUR / 2);
      accepted(await desk.rollback({ to: 1, expect: generation }));
      await desk.world.clock.advance(HOUR);
      expect(spans()).toEqual([2, generation]);
      await desk.world.clock.advance(3 * HOUR);
      expect(spans()).toEqual([generation]);
      for (let hour = 0; hour < 60; hour++) await desk.world.clock.advance(HOUR);
      accepted(await desk.rollback({ to: generation, expect: generation + 1 }));
      expect((await desk.head())?.counts.active).toBe(2_001);
    });
  });
});

/* What the journal of single changes keeps no row of, and up to where it knows what was open. */
import { beforeEach, describe, expect, it } from "vitest";
import { encodeKept, fingerprint, fingerprintIn, toBase64Url } from "../../../src/directory/index.ts";
import {
  deleteJournal,
  isForgotten,
  isInForce,
  type JournalRow,
  MAX_JOURNAL,
  pruneJournal,
  retire,
} from "../../../src/registry/changes/journal.ts";
import {
  MAX_PATCHED,
  MOST_COUNTED,
  notePatches,
  openRows,
  reopenPatches,
} from "../../../src/registry/changes/patched-names.ts";
import type { RegistryStorage } from "../../../src/registry/ports.ts";
import { insert } from "../../../src/registry/storage/rows.ts";
import { people } from "../../../testing/lists.ts";
import { accepted, D, Desk, refused } from "../support.ts";

const GONE = -1;

let desk: Desk;
let storage: RegistryStorage;
beforeEach(async () => {
  desk = await new Desk().open();
  storage = desk.world.registry().storage;
});
const rows = (table: string) => storage.sql(`SELECT * FROM ${table} WHERE domain = ?`, D);
const printOf = (name: string) => fingerprintIn(fingerprint(desk.world.keyFor(D).names, name));

async function patch(name: string, state: number): Promise<void> {
  const changes = await desk.changes({ [name]: state }, { force: true });
  accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
}
/** Publishes a list, which keeps a single change as its publisher lists that name. */
async function publish(
  list: readonly string[],
  kept: readonly (readonly [string, number])[] = [],
): Promise<void> {
  const names = kept.map(([name, listed]) => ({ fingerprint: printOf(name), listed }));
  const commit = await desk.prepare(list);
  await desk.commit([{ ...commit, patched_kept: toBase64Url(encodeKept(names)) }], { force: true });
}

describe("the journal has no row", () => {
  it("of a change that a list settles in the same generation", async () => {
    await publish(people(10));
    await patch("new", 0);
    await publish([...people(10), "new"]);
    expect(openRows(storage, D)).toEqual([]);
    expect(rows("settled_names")).toEqual([]);
  });

  it("of a change that publishes keep as it is, however many come", async () => {
    await publish(people(10));
    await patch("new", 0);
    const before = openRows(storage, D);
    for (let i = 0; i < 5; i++) await publish([...people(9 - i), "new"], [["new", GONE]]);
    expect(openRows(storage, D)).toEqual(before);
    expect(rows("settled_names")).toEqual([]);
  });

  it("of a domain that is no more, nor how far back it reached", () => {
    const row = { domain: D, fingerprint: printOf("u1"), was: 0, state: GONE, number: 3, at_once: null };
    insert(storage, "patched_names", row);
    insert(storage, "settled_names", { ...row, seq: 1, ended: 4, holds: null });
    insert(storage, "forgotten_names", { domain: D, ended: 2 });
    deleteJournal(storage, D);
    for (const table of ["patched_names", "settled_names", "forgotten_names"])
      expect(rows(table)).toEqual([]);
  });
});

describe("past the bounds", () => {
  const row = (seq: number, ended: number) => {
    const is = { fingerprint: printOf("u1"), was: 0, state: GONE, number: 1, at_once: null, holds: null };
    insert(storage, "settled_names", { domain: D, seq, ended, ...is });
  };
  const again = (number: number): JournalRow => ({
    fingerprint: printOf("u2"),
    was: 0,
    state: GONE,
    number,
    atOnce: null,
  });
  const forgotten = () => storage.sql("SELECT ended FROM forgotten_names");

  it("all that is forgotten at once is missing up to the end of the last of it", () => {
    row(1, 3);
    row(2, 5);
    row(MAX_JOURNAL + 1, 7);
    retire(storage, D, again(7), 8);
    expect(forgotten()).toEqual([{ ended: 5 }]);
    expect(rows("settled_names").map(({ seq }) => seq)).toEqual([MAX_JOURNAL + 1, MAX_JOURNAL + 2]);
    // Where nothing is forgotten, nothing is missing beside.
    retire(storage, D, again(8), 9);
    expect(forgotten()).toEqual([{ ended: 5 }]);
  });

  it("single changes of more names than a list may have need that it is published", async () => {
    await publish(people(10));
    storage.sql(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO patched_names (domain, fingerprint, was, state, number)
         SELECT ?, CAST(printf('%010d', i) AS BLOB), -1, 0, 1 FROM n`,
      MAX_PATCHED - 1,
      D,
    );
    await patch("one", 0);
    const changes = await desk.changes({ another: 0 }, { force: true });
    expect(refused(await desk.world.clock.run(desk.core.patch(changes, "tester", null)))).toMatchObject({
      code: "repack_needed",
      domain: D,
    });
    const [summary] = accepted(await desk.core.domainsNamed([D]));
    expect(summary?.open_changes).toBe(MOST_COUNTED);
  });
});

it("of a domain of which no generation is known nothing is pruned", () => {
  const is = { fingerprint: printOf("u1"), was: 0, state: GONE, number: 1, at_once: null, holds: null };
  insert(storage, "settled_names", { domain: D, seq: 1, ended: 2, ...is });
  pruneJournal(storage, D);
  expect(rows("settled_names")).toHaveLength(1);
});

it("what was forgotten is missing in generations before its end, and in no later one", () => {
  insert(storage, "forgotten_names", { domain: D, ended: 5 });
  expect([3, 4, 5, 6].map((number) => isForgotten(storage, D, number))).toEqual([true, true, false, false]);
});

it("a plan of a rollback counts each single change once: open again, refused again, or ended", async () => {
  const first = await desk.publish(people(10));
  await patch("then", 0);
  await patch("u2", GONE);
  await patch("u3", GONE);
  for (const name of ["u4", "u5", "u6"]) await patch(name, 1);
  const to = (await desk.head())?.generation as number;
  await patch("later", 0);
  const changes = await desk.changes({ u1: GONE }, { force: true, atOnce: true });
  accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
  const plan = async (number: number) => accepted(await desk.core.planRollback(D, number, null));
  expect(await plan(to)).toMatchObject({
    reopened: { added: 1, removed: 2, changed: 3 },
    refused_again: 1,
    ended: 1,
    unknown: 0,
    forgotten: false,
  });
  expect(await plan(first)).toMatchObject({
    reopened: { added: 0, removed: 0, changed: 0 },
    refused_again: 1,
    ended: 7,
  });
});

it("a removal with --now is not made again without a word after a list under another spelling, though the head is damaged", async () => {
  const first = await desk.publish(people(10));
  const changes = await desk.changes({ u1: GONE }, { force: true, atOnce: true });
  accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
  await publish(people(9, 2));
  // Whether u1 was hired again in one of these is not known.
  const other = { policy: { case: "sensitive" } } as const;
  await desk.publish(people(10), { ...other, force: true });
  const head = await desk.publish(people(11), { ...other, force: true });
  storage.sql("UPDATE generations SET manifest = zeroblob(9) WHERE domain = ? AND number = ?", D, head);
  expect(refused(await desk.rollback({ to: first, expect: head }))).toMatchObject({ code: "patched_names" });
  accepted(await desk.rollback({ to: first, expect: head, patched: "drop" }));
  expect((await desk.head())?.counts).toMatchObject({ active: 10 });
});

it("a removal with --now that a rollback opens again under another spelling counts as that one alone", async () => {
  await desk.publish(people(10));
  const head = (await desk.head()) ?? expect.fail();
  const { keyId, policy } = head;
  const spelled = { domain: D, keyId, policy };
  const other = `${keyId} sensitive ${policy.dots}`;
  const own = `${keyId} ${policy.case} ${policy.dots}`;
  const print = printOf("u1");
  notePatches(storage, spelled, 2, [
    { fingerprint: print, was: 0, state: GONE, atOnce: true, lifted: false },
  ]);
  const again: JournalRow = { fingerprint: print, was: 0, state: GONE, number: 1, atOnce: other };
  reopenPatches(storage, D, 3, [again]);
  expect(openRows(storage, D)).toEqual([{ ...again, number: 3 }]);
  expect([own, other].map((spelling) => isInForce(storage, D, print, spelling))).toEqual([false, false]);
});

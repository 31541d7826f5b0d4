import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, tailOf } from "../../src/directory/address/fingerprint.ts";
import type { LeaverGroups } from "../../src/directory/formats/departures.ts";
import {
  type Departures,
  decodeDepartures,
  departedUntil,
  departureBlobOf,
  departuresOf,
  encodeDepartures,
  HELD,
  MARKED_FOR,
} from "../../src/directory/formats/departures.ts";
import { type BlobTable, blobId } from "../../src/directory/formats/manifest.ts";
import { ACTIVE, DISABLED, FULL, MOVED } from "../../src/directory/formats/shard.ts";
import {
  type BlobStore,
  type DepartureTable,
  departuresIn as departInSteps,
  departureColumns,
  departuresAfter as departuresInSteps,
  type Keeping,
  NO_DEPARTURES,
  storedList,
} from "../../src/directory/names/departing.ts";
import { deferredUntil, isSuspended, NO_GROUPS } from "../../src/directory/names/leaver-groups.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { atOnce, NO_STEPS } from "../../src/directory/steps.ts";
import {
  faultOf,
  forAll,
  idOf,
  KEY,
  type List,
  NOW,
  packList,
  packShard,
  repeatedShards,
  tableOf,
} from "./helpers.ts";

const departuresAfter = (...given: Parameters<typeof departuresInSteps>) =>
  atOnce(departuresInSteps(...given));
const departuresIn = (...given: Parameters<typeof departInSteps>) => atOnce(departInSteps(...given));

/** Blobs in memory; one that is lost is an error, as it is in the Registry. */
class Blobs implements BlobStore {
  readonly #blobs = new Map<string, Uint8Array>();

  read(id: string): Uint8Array {
    return this.#blobs.get(id) ?? expect.fail(`blob ${id} was never kept`);
  }

  keep(id: string, bytes: Uint8Array): void {
    expect(idOf(bytes)).toBe(id);
    this.#blobs.set(id, bytes);
  }

  list(list: List, bits = 0): BlobTable {
    const { shards, table } = packList(list, KEY, bits);
    for (const bytes of shards) this.keep(idOf(bytes), bytes);
    return table;
  }
}

/** One domain's generations, one commit after another. */
class History {
  readonly blobs = new Blobs();
  shards = this.blobs.list(new Map());
  departures: DepartureTable = NO_DEPARTURES;

  commit(list: List, now: number, grace: number, bits = 0): void {
    const before = { shards: this.shards, departures: this.departures, patterns: null };
    this.shards = this.blobs.list(list, bits);
    const after = { ...storedList(this.blobs, this.shards), patterns: null };
    this.departures = departuresAfter(this.blobs, stablelibHashing, before, after, now, grace);
  }

  /** The Unix second until which a name is deferred, 0 if it is not. */
  until(name: string): number {
    const { bits, inline } = this.departures;
    const digest = fingerprint(KEY.names, name);
    const bytes = inline ?? this.blobs.read(blobId(this.departures, departureBlobOf(tailOf(digest), bits)));
    const blob: Departures = decodeDepartures(bytes);
    expect(blob.bits).toBe(bits);
    return departedUntil(blob, digest);
  }
}

const SECOND = NOW / 1000;

/** The second until which names are deferred that leave now: its lowest bits say whether they are many. */
const deferred = (now: number, grace: number, count = 1): number =>
  deferredUntil(now, grace, false, count >= 10);

const groupsOf = ({ departures }: History): LeaverGroups => departures.groups ?? NO_GROUPS;

const listed = (...entries: [name: string, state: number][]): List => new Map(entries);

describe("names that leave", () => {
  it("are deferred for the grace, if they were accepted before", () => {
    const history = new History();
    history.commit(
      listed(["alice", ACTIVE], ["frank", FULL], ["dave", DISABLED], ["erin", MOVED], ["bob", ACTIVE]),
      NOW,
      60,
    );
    history.commit(listed(["bob", ACTIVE]), NOW, 60);
    expect(history.departures.count).toBe(2);
    expect(["alice", "frank", "dave", "erin", "bob"].map((name) => history.until(name))).toEqual([
      SECOND + 60,
      SECOND + 60,
      0,
      0,
      0,
    ]);
  });

  it("include those that were suspended, at a second that says so", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE], ["bob", FULL], ["carol", ACTIVE], ["dave", DISABLED]), NOW, 60);
    history.commit(listed(["alice", DISABLED], ["bob", MOVED], ["dave", MOVED], ["erin", DISABLED]), NOW, 60);
    expect(["alice", "bob", "carol", "dave", "erin"].map((name) => history.until(name))).toEqual([
      SECOND + 61,
      SECOND + 61,
      SECOND + 60,
      0,
      0,
    ]);
    expect([SECOND + 61, SECOND + 60, HELD].map(isSuspended)).toEqual([true, false, false]);
    history.commit(listed(["alice", ACTIVE]), NOW + 1_000, 60);
    expect(["alice", "bob", "carol"].map((name) => history.until(name))).toEqual([
      0,
      SECOND + 61,
      SECOND + 60,
    ]);
  });

  it("have no grace if it is 0", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE]), NOW, 60);
    history.commit(listed(["alice", DISABLED]), NOW, 0);
    expect(history.departures.count).toBe(0);
  });

  it("are deferred for the whole grace, even if the clock is between two seconds", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE]), NOW, 60);
    history.commit(listed(), NOW + 1, 60);
    expect(history.until("alice")).toBe(SECOND + 64);
  });

  it("are carried through later commits until their grace ends, and no longer", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE], ["bob", ACTIVE]), NOW, 60);
    history.commit(listed(["bob", ACTIVE]), NOW, 60);
    history.commit(listed(["bob", ACTIVE], ["carol", ACTIVE]), NOW + 59_999, 60);
    expect(history.until("alice")).toBe(SECOND + 60);
    history.commit(listed(["carol", ACTIVE]), NOW + 60_000, 60);
    expect(history.until("alice")).toBe(0);
    expect(history.until("bob")).toBe(SECOND + 120);
  });

  it("are carried through a commit without grace, which adds none", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE], ["bob", ACTIVE]), NOW, 60);
    history.commit(listed(["bob", ACTIVE]), NOW, 60);
    history.commit(listed(), NOW + 1_000, 0);
    expect(history.until("alice")).toBe(SECOND + 60);
    expect(history.until("bob")).toBe(0);
  });

  it("do not include those that returned; these get a new grace if they leave again", () => {
    const history = new History();
    for (const [second, grace] of [
      [0, 3_600],
      [10, 60],
      [20, 3_600],
    ] as const) {
      history.commit(listed(["alice", ACTIVE]), NOW + 1000 * second, grace);
      expect(history.departures.count).toBe(0);
      history.commit(listed(), NOW + 1000 * second, grace);
      expect(history.departures.count).toBe(1);
      expect(history.until("alice")).toBe(deferred(NOW + 1000 * second, grace));
    }
    history.commit(listed(["alice", FULL]), NOW + 21_000, 0);
    expect(history.departures.count).toBe(0);
  });

  it("keep the rest of their grace while their entry refuses them, until it accepts them", () => {
    const history = new History();
    history.commit(listed(["alice", ACTIVE]), NOW, 60);
    history.commit(listed(), NOW, 60);
    history.commit(listed(["alice", DISABLED]), NOW + 1_000, 60);
    expect(history.until("alice")).toBe(SECOND + 60);
    history.commit(listed(), NOW + 2_000, 60);
    expect(history.until("alice")).toBe(SECOND + 60);
    history.commit(listed(["alice", DISABLED]), NOW + 3_000, 60);
    history.commit(listed(["alice", ACTIVE]), NOW + 4_000, 60);
    expect(history.until("alice")).toBe(0);
  });

  it("have patterns too, which left with the list's table or are carried on", () => {
    const table = packShard(
      new Map([
        [7, ACTIVE],
        [8, DISABLED],
        [9, FULL],
      ]),
      0,
    );
    const blobs = new Blobs();
    const list = blobs.list(listed(["alice", ACTIVE]));
    const before = { shards: list, departures: NO_DEPARTURES, patterns: { table, departedUntil: 0 } };
    const names = storedList(blobs, list);
    const after = { ...names, patterns: packShard(new Map([[9, FULL]]), 0) };
    const gone = departuresAfter(blobs, stablelibHashing, before, after, NOW, 60);
    expect([...departuresOf(decodeDepartures(gone.inline as Uint8Array)).tails]).toEqual([7]);
    const next = { shards: list, departures: gone, patterns: { table: after.patterns, departedUntil: 1 } };
    const still = departuresAfter(blobs, stablelibHashing, next, { ...names, patterns: null }, NOW, 60);
    expect([...departuresOf(decodeDepartures(still.inline as Uint8Array)).tails]).toEqual([7, 9]);
    const back = departuresAfter(blobs, stablelibHashing, next, { ...names, patterns: table }, NOW, 60);
    // One that refuses from now on hides what nobody can name.
    expect([...departuresOf(decodeDepartures(back.inline as Uint8Array)).tails]).toEqual([8]);
  });

  it("are none if there is no comparable generation", () => {
    const blobs = new Blobs();
    const after = { ...storedList(blobs, blobs.list(listed(["alice", ACTIVE]))), patterns: null };
    expect(departuresAfter(blobs, stablelibHashing, null, after, NOW, 60)).toEqual(NO_DEPARTURES);
    expect(decodeDepartures(NO_DEPARTURES.inline as Uint8Array).count).toBe(0);
  });

  it("equal those of a plain map, over any commits and any numbers of shards", () => {
    const state = fc.constantFrom(ACTIVE, ACTIVE, FULL, DISABLED, MOVED);
    const list = fc
      .array(
        fc.tuple(
          fc.nat(12).map((i) => `user${i}`),
          state,
        ),
        { maxLength: 12 },
      )
      .map((entries): List => new Map(entries));
    const commit = fc.record({
      list,
      pause: fc.integer({ min: 0, max: 90_000 }),
      grace: fc.constantFrom(0, 30, 60),
      bits: fc.nat(3),
    });
    forAll([fc.array(commit, { minLength: 1, maxLength: 6 })], (commits) => {
      const history = new History();
      const expected = new Map<string, number>();
      let before: List = new Map();
      let now = NOW;
      for (const { list: after, pause, grace, bits } of commits) {
        now += pause;
        // Of all that left before, returned or not.
        const rest = Math.max(0, ...expected.values()) - Math.ceil(now / 1000);
        for (const [name, until] of expected) {
          const state = after.get(name);
          if (until * 1000 <= now || state === ACTIVE || state === FULL) expected.delete(name);
        }
        const left = [...before].filter(
          ([name, was]) =>
            (was === ACTIVE || was === FULL) && ![ACTIVE, FULL].includes(after.get(name) ?? -1),
        );
        for (const listed of [false, true]) {
          const its = left.filter(([name]) => after.has(name) === listed);
          const ownGrace = listed ? Math.max(grace, rest) : grace;
          if (ownGrace === 0) continue;
          const until = deferredUntil(now, ownGrace, listed, its.length >= 10, groupsOf(history));
          for (const [name] of its) expected.set(name, Math.max(expected.get(name) ?? 0, until));
        }
        history.commit(after, now, grace, bits);
        before = after;
        expect(history.departures.count).toBe(expected.size);
        for (let i = 0; i <= 12; i++) expect(history.until(`user${i}`)).toBe(expected.get(`user${i}`) ?? 0);
      }
    });
  });

  it.each([
    [2_000, 0, true],
    [2_001, 0, false],
    [40_000, 1, false],
  ])("are all found if %i leave at once, in 2^%i blobs, inline: %s", (count, bits, inline) => {
    const history = new History();
    const names = Array.from({ length: count }, (_, i) => `user${i}`);
    history.commit(new Map(names.map((name) => [name, ACTIVE])), NOW, 60, 3);
    history.commit(listed(["other", ACTIVE]), NOW, 60);
    expect(history.departures).toMatchObject({ count, bits });
    expect(history.departures.inline !== null).toBe(inline);
    expect(history.departures.ids.length).toBe(inline ? 0 : 32 * 2 ** bits);
    // Few names of many: each decodes its blob.
    const some = names.filter((_, i) => i % Math.ceil(count / 100) === 0);
    expect(some.filter((name) => history.until(name) !== deferred(NOW, 60, count))).toEqual([]);
    expect(["nobody", "other", "postmaster"].map((name) => history.until(name))).toEqual([0, 0, 0]);
    // Half of them come back.
    const back = names.filter((_, i) => i % 2 === 0);
    history.commit(new Map([...back, "other"].map((name) => [name, ACTIVE])), NOW + 1_000, 60, 2);
    expect(history.departures.count).toBe(count - back.length);
    expect(some.map((name) => history.until(name) > 0)).toEqual(some.map((name) => !back.includes(name)));
    history.commit(listed(["other", ACTIVE]), NOW + 62_000, 60);
    expect(history.departures.count).toBe(back.length);
    history.commit(listed(["other", ACTIVE]), NOW + 126_000, 60);
    expect(history.departures.count).toBe(0);
  });
});

describe("departures of lists that are known by their tails", () => {
  const EMPTY = {
    table: tableOf([packShard(new Map(), 0)], 0),
    read: () => expect.fail("read"),
    patterns: null,
  };
  const inline = (until: readonly (readonly [tail: number, second: number])[]): DepartureTable => ({
    bits: 0,
    inline: encodeDepartures(
      {
        tails: Float64Array.from(until, ([tail]) => tail),
        until: Uint32Array.from(until, ([, second]) => second),
      },
      0,
    ),
    ids: new Uint8Array(0),
    count: until.length,
  });
  const entriesOf = (table: DepartureTable) => {
    const { tails, until } = departuresOf(decodeDepartures(table.inline ?? expect.fail("not inline")));
    return [...tails].map((tail, i) => [tail, until[i]]);
  };

  it("keep the later time where two names share a tail", () => {
    // Two shards may hold the same tail, and so may a departure from before.
    for (const [carried, grace, expected] of [
      [SECOND + 100, 60, SECOND + 100],
      [SECOND + 10, 60, SECOND + 60],
    ] as const) {
      const blobs = new Blobs();
      const shards = [0, 1].map((index) => packShard(new Map([[7, ACTIVE]]), 1, index));
      for (const bytes of shards) blobs.keep(idOf(bytes), bytes);
      const before = { shards: tableOf(shards, 1), departures: inline([[7, carried]]), patterns: null };
      const table = departuresAfter(blobs, stablelibHashing, before, EMPTY, NOW, grace);
      expect(table.count).toBe(1);
      expect(entriesOf(table)).toEqual([[7, expected]]);
    }
  });

  it("end at their second, each by itself, and go if the name returns", () => {
    const departures = inline([
      [1, SECOND],
      [2, SECOND + 20],
      [3, SECOND - 1],
      [4, SECOND + 40],
      [5, SECOND + 50],
    ]);
    const before = { shards: EMPTY.table, departures, patterns: null };
    const back = {
      table: tableOf([packShard(new Map([[2, ACTIVE]]), 0)], 0),
      read: EMPTY.read,
      patterns: null,
    };
    const table = departuresAfter(new Blobs(), stablelibHashing, before, back, NOW, 60);
    expect(entriesOf(table)).toEqual([
      [4, SECOND + 40],
      [5, SECOND + 50],
    ]);
    const none = departuresAfter(new Blobs(), stablelibHashing, before, EMPTY, NOW, 60);
    expect(entriesOf(none)).toEqual([
      [2, SECOND + 20],
      [4, SECOND + 40],
      [5, SECOND + 50],
    ]);
  });

  it("read no list if there is no grace, and nobody is deferred from before", () => {
    const shards = tableOf([packShard(new Map([[7, ACTIVE]]), 0)], 0, false);
    const unread = { read: () => expect.fail("read"), keep: () => expect.fail("kept") };
    const before = { shards, departures: inline([[1, SECOND]]), patterns: null };
    expect(departuresAfter(unread, stablelibHashing, before, EMPTY, NOW, 0).count).toBe(0);
  });

  it("go to the blob of their tail, from its first to its last one", () => {
    const tails = [...Array.from({ length: 40_000 }, (_, i) => i), 2 ** 47 - 1, 2 ** 47, 2 ** 48 - 1];
    const blobs = new Blobs();
    const shards = {
      table: tableOf([packShard(new Map(tails.map((tail) => [tail, ACTIVE])), 0)], 0),
      read: EMPTY.read,
    };
    const before = { shards: shards.table, departures: NO_DEPARTURES, patterns: null };
    const table = departuresAfter(blobs, stablelibHashing, before, EMPTY, NOW, 60);
    const held = [0, 1].map((blob) => departuresOf(decodeDepartures(blobs.read(blobId(table, blob)))).tails);
    expect(held.map((column) => column.length)).toEqual([40_001, 2]);
    expect([...(held[1] as Float64Array)]).toEqual([2 ** 47, 2 ** 48 - 1]);
  });

  it("are refused if there are more than can be stored", () => {
    const bits = 6;
    const shards = repeatedShards(60_000, bits);
    const blobs = new Blobs();
    for (const bytes of shards) blobs.keep(idOf(bytes), bytes);
    const before = { shards: tableOf(shards, bits), departures: NO_DEPARTURES, patterns: null };
    const none = shards.map((_, index) => packShard(new Map(), bits, index));
    const nobody = {
      table: tableOf(none, bits),
      read: (index: number) => none[index] as Uint8Array,
      patterns: null,
    };
    expect(faultOf(() => departuresAfter(blobs, stablelibHashing, before, nobody, NOW, 60))).toBe("invalid");
  });
});

it("names that go at once get no grace, and no more of an earlier one", () => {
  const history = new History();
  history.commit(
    new Map([
      ["early", ACTIVE],
      ["now", ACTIVE],
      ["later", ACTIVE],
    ]),
    NOW,
    600,
  );
  history.commit(
    new Map([
      ["now", ACTIVE],
      ["later", ACTIVE],
    ]),
    NOW,
    600,
  );
  expect(history.until("early")).toBeGreaterThan(0);
  const tailOfName = (name: string): number => tailOf(fingerprint(KEY.names, name));
  const gone = ["now", "later"].map(tailOfName).sort((a, b) => a - b);
  history.departures = departuresIn(
    history.blobs,
    stablelibHashing,
    history.departures,
    (visit) => {
      for (const tail of gone) visit(tail, ACTIVE, -1);
      return NO_STEPS;
    },
    NOW,
    600,
    new Set(["early", "now"].map(tailOfName)),
  );
  expect(["early", "now"].map((name) => history.until(name))).toEqual([0, 0]);
  expect(history.until("later")).toBeGreaterThan(0);
});

describe("names that left before, as the brake treats them", () => {
  const store = { read: () => expect.fail("read"), keep: () => expect.fail("kept") };
  const table = (entries: readonly (readonly [tail: number, second: number])[], count = entries.length) => ({
    bits: 0,
    inline: encodeDepartures(
      {
        tails: Float64Array.from(entries, ([tail]) => tail),
        until: Uint32Array.from(entries, ([, second]) => second),
      },
      0,
    ),
    ids: new Uint8Array(0),
    count,
  });
  const EARLIER = table([
    [1, SECOND - 101],
    [2, SECOND - 100],
    [3, SECOND - 99],
    [4, SECOND],
    [5, SECOND + 10],
    [6, HELD],
  ]);
  const next = (keeping: Keeping, earlier = EARLIER, gone: readonly number[] = [], atOnce: number[] = []) => {
    const made = departuresIn(
      store,
      stablelibHashing,
      earlier,
      (visit) => {
        for (const tail of gone) visit(tail, ACTIVE, -1);
        return NO_STEPS;
      },
      NOW,
      60,
      new Set(atOnce),
      keeping,
    );
    const [{ tails, until } = expect.fail("none")] = departureColumns(store, made);
    return { held: made.held, entries: [...tails].map((tail, i) => [tail, until[i]]) };
  };

  it("are dropped with the end of their grace, or kept so many seconds longer", () => {
    expect(next({})).toEqual({
      held: 1,
      entries: [
        [5, SECOND + 10],
        [6, HELD],
      ],
    });
    expect(next({ marked: 100 }).entries).toEqual([
      [3, SECOND - 99],
      [4, SECOND],
      [5, SECOND + 10],
      [6, HELD],
    ]);
    expect(MARKED_FOR).toBe(86_400);
  });

  it("are all held, marked ones too, but none that leaves now", () => {
    expect(next({ marked: 100, brake: "hold" }, EARLIER, [7])).toEqual({
      held: 4,
      entries: [
        [3, HELD],
        [4, HELD],
        [5, HELD],
        [6, HELD],
        [7, SECOND + 60],
      ],
    });
  });

  it("are released: those that were held go, and others keep their time", () => {
    expect(next({ marked: 100, brake: "release" })).toEqual({
      held: 0,
      entries: [
        [3, SECOND - 99],
        [4, SECOND],
        [5, SECOND + 10],
      ],
    });
  });

  it("are no longer held if they go at once", () => {
    expect(next({ marked: 100 }, EARLIER, [], [6, 3])).toEqual({
      held: 0,
      entries: [
        [4, SECOND],
        [5, SECOND + 10],
      ],
    });
  });

  it("are not marked if there are more than a million, and are held and deferred all the same", () => {
    const most = (count: number) =>
      table(
        [
          [3, SECOND - 99],
          [4, SECOND + 1],
          [6, HELD],
        ],
        count,
      );
    expect(next({ marked: 100 }, most(1_000_000)).entries.map(([tail]) => tail)).toEqual([3, 4, 6]);
    expect(next({ marked: 100 }, most(1_000_001)).entries.map(([tail]) => tail)).toEqual([4, 6]);
  });

  it("are counted in blobs too, and marked through a comparison of lists", () => {
    const history = new History();
    const names = Array.from({ length: 3_000 }, (_, i) => `user${i}`);
    history.commit(new Map([...names, "stays"].map((name) => [name, ACTIVE])), NOW, 60);
    history.commit(listed(["stays", ACTIVE]), NOW, 60);
    const shards = { ...storedList(history.blobs, history.shards), patterns: null };
    const before = { shards: history.shards, departures: history.departures, patterns: null };
    const later = NOW + 100_000;
    // Until 62 seconds from then.
    const kept = departuresAfter(history.blobs, stablelibHashing, before, shards, later, 60, { marked: 39 });
    expect([kept.count, kept.held]).toEqual([3_000, 0]);
    const none = departuresAfter(history.blobs, stablelibHashing, before, shards, later, 60, { marked: 38 });
    expect([none.count, none.held]).toEqual([0, 0]);
    const held = departuresAfter(history.blobs, stablelibHashing, before, shards, later, 60, {
      marked: 39,
      brake: "hold",
    });
    expect([held.count, held.held]).toEqual([3_000, 3_000]);
    const columns = departureColumns(history.blobs, held);
    expect(columns.every(({ until }) => until.every((second) => second === HELD))).toBe(true);
  });
});

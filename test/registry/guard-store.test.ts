/* What the guard's ledger keeps of its day, and what it leaves alone until it is saved. */
import { beforeEach, describe, expect, it } from "vitest";
import { deleteLedger, GuardStore } from "../../src/registry/names/guard-store.ts";
import { D, Desk } from "./support.ts";

const LIST = { generation: 7, accepted: 10, lost: 1, superseded: null };
const BYTES = Uint8Array.of(1, 2, 3);
const NOW = 1_000_000;

let desk: Desk;
beforeEach(async () => {
  desk = await new Desk().open();
});
const open = (): GuardStore => new GuardStore(desk.world.registry().storage, D);

/** A ledger of one list, split once, with spans in two buckets. */
function fill(): GuardStore {
  const store = open();
  store.split(1);
  store.write(0, BYTES, 2, 8);
  store.write(1, BYTES, 3, 9);
  store.save([LIST], NOW);
  return store;
}
const contentOf = (store: GuardStore) => ({
  bits: store.bits,
  lists: store.lists(NOW),
  count: store.count(),
  buckets: [store.read(0), store.read(1)],
});
const FULL = { bits: 1, lists: [LIST], count: 5, buckets: [BYTES, BYTES] };
const EMPTY = { bits: 0, lists: [], count: 0, buckets: [null, null] };

describe("a ledger", () => {
  it("is read again as it was saved, unless that is too long ago", () => {
    fill();
    expect(contentOf(open())).toEqual(FULL);
    expect(open().lists(NOW + 1)).toEqual([]);
  });

  it("keeps no spans that ended with a list before its first one", () => {
    const store = fill();
    store.save([{ ...LIST, generation: 8 }], NOW);
    expect([store.read(0), store.read(1), store.count()]).toEqual([null, BYTES, 3]);
  });

  it("that is cleared has nothing left once that is saved", () => {
    const store = fill();
    store.clear();
    expect(contentOf(store)).toEqual(EMPTY);
    expect(contentOf(open())).toEqual(FULL);
    store.save([], NOW);
    expect(contentOf(open())).toEqual(EMPTY);
  });

  it("that is deleted has nothing left", () => {
    fill();
    deleteLedger(desk.world.registry().storage, D);
    expect(contentOf(open())).toEqual(EMPTY);
  });
});

describe("what is not saved", () => {
  it("shows and counts, and is not stored", () => {
    fill();
    const trial = open();
    trial.write(0, Uint8Array.of(9), 7, 9);
    trial.write(1, null, 0, 0);
    expect([trial.read(0), trial.read(1), trial.count()]).toEqual([Uint8Array.of(9), null, 7]);
    expect(contentOf(open())).toEqual(FULL);
    trial.save([LIST], NOW);
    expect([open().read(0), open().read(1), open().count()]).toEqual([Uint8Array.of(9), null, 7]);
  });

  it("shows nothing that is stored, or that was written before, once it is cleared", () => {
    fill();
    const trial = open();
    trial.write(0, Uint8Array.of(9), 1, 9);
    trial.clear();
    expect(contentOf(trial)).toEqual(EMPTY);
    trial.write(1, Uint8Array.of(9), 1, 9);
    expect([trial.read(0), trial.read(1), trial.count()]).toEqual([null, Uint8Array.of(9), 1]);
    expect(contentOf(open())).toEqual(FULL);
    trial.save([LIST], NOW);
    expect([open().read(0), open().read(1), open().bits]).toEqual([null, Uint8Array.of(9), 0]);
  });
});

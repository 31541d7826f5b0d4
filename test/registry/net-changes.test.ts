/* What a batch of single changes amounts to, and what is left of one that is taken back. */
import { describe, expect, it } from "vitest";
import { ACTIVE, DISABLED, MAX_SHARD_ENTRIES, tailOf, UNLISTED } from "../../src/directory/index.ts";
import { type Listed, NetChanges, placeOf } from "../../src/registry/changes/net-changes.ts";
import { RegistryFailure } from "../../src/registry/failure.ts";

/** A fingerprint of a list of one shard; the first octets are in no shard. */
const print = (tail: number, prefix = 0): Uint8Array =>
  Uint8Array.from({ length: 10 }, (_, i) => (i === 0 ? prefix : i === 9 ? tail : 0));
const placed = (tail: number): string => placeOf(0, tailOf(print(tail)));
const listed = (states: Readonly<Record<number, number>>, inShard = 10): Map<string, Listed> =>
  new Map(Object.entries(states).map(([tail, state]) => [placed(Number(tail)), { state, inShard }]));
const states = (net: NetChanges): [number, number][] =>
  net.all.map(({ tail, state }) => [tail, state] as [number, number]).sort(([a], [b]) => a - b);

describe("a change that is taken back", () => {
  it("leaves every name as it was before, also two that share a place in the list", () => {
    const net = new NetChanges("example.com", 0, listed({ 1: ACTIVE, 2: ACTIVE }));
    net.apply([[print(1), DISABLED]], false);
    const before = states(net);
    // Two fingerprints may differ in octets that the list does not store.
    expect(placed(1)).toBe(placeOf(0, tailOf(print(1, 7))));
    const { undo } = net.apply(
      [
        [print(1), ACTIVE],
        [print(2), UNLISTED],
        [print(1, 7), UNLISTED],
      ],
      true,
    );
    expect(states(net)).not.toEqual(before);
    undo();
    expect(states(net)).toEqual(before);
    expect(net.changed.map(({ was, state, atOnce }) => [was, state, atOnce])).toEqual([
      [ACTIVE, DISABLED, false],
    ]);
  });

  it("leaves the room in a shard as it was", () => {
    const full = MAX_SHARD_ENTRIES - 1;
    const net = new NetChanges("example.com", 0, listed({ 1: UNLISTED, 2: UNLISTED }, full));
    const two = [
      [print(1), ACTIVE],
      [print(2), ACTIVE],
    ] as const;
    expect(() => net.apply(two, false)).toThrow(RegistryFailure);
    expect(states(net)).toEqual([]);
    expect(net.apply([[print(1), ACTIVE]], false).counts.added).toBe(1);
    expect(() => net.apply([[print(2), ACTIVE]], false)).toThrow(RegistryFailure);
    expect(states(net)).toEqual([[tailOf(print(1)), ACTIVE]]);
  });
});

describe("a name of a batch", () => {
  it("that was refused at once is not deferred because it is refused again", () => {
    const net = new NetChanges("example.com", 0, listed({ 1: ACTIVE, 2: ACTIVE }));
    expect(net.apply([[print(1), UNLISTED]], true).defers).toBe(false);
    const again = net.apply([[print(1), DISABLED]], false);
    expect([again.defers, again.counts]).toEqual([false, { added: 1, removed: 0, changed: 0 }]);
    expect(net.changed).toMatchObject([{ state: DISABLED, atOnce: true, lifted: false }]);
  });

  it("that was accepted in between is deferred for the grace, as one that nobody refused at once", () => {
    const net = new NetChanges("example.com", 0, listed({ 1: ACTIVE, 2: ACTIVE }));
    net.apply([[print(1), UNLISTED]], true);
    expect(net.apply([[print(1), ACTIVE]], false).defers).toBe(false);
    const [one, other] = [1, 2].map((tail) => net.apply([[print(tail), UNLISTED]], false));
    expect([one?.defers, other?.defers]).toEqual([true, true]);
    expect(one?.counts).toEqual({ added: 0, removed: 1, changed: 0 });
    expect(net.changed.map(({ atOnce, lifted }) => [atOnce, lifted])).toEqual([
      [false, true],
      [false, false],
    ]);
  });
});

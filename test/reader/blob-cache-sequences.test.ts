import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlobCache, type CachedManifest } from "../../src/reader/blob-cache.ts";
import { forAll, idOf } from "../directory/helpers.ts";
import {
  atHand,
  blobOf,
  decode,
  heldOf,
  type Made,
  make,
  names,
  READ_AT,
  requireRight,
  sizeOfContents,
  TABLES,
} from "./support/generations.ts";

const DOMAINS = ["one.example", "two.example"];
/** Generations of two domains that share some blobs, in any order. */
const POOL: readonly Made[] = DOMAINS.flatMap((domain) => [
  make({ domain, names: names(40), bits: 2 }),
  make({ domain, names: names(41), bits: 2, left: [7] }),
  make({ domain, names: names(42), bits: 2, left: [7, 9] }),
  make({ domain, names: names(42), bits: 2, left: [7, 8] }),
  make({ domain, names: names(42), bits: 1 }),
  make({ domain, names: names(40), bits: 0, isInline: true }),
  make({ domain, names: names(40), bits: 0, left: [7, 8] }),
  make({ domain, names: names(40), bits: 2, incarnation: 1 }),
]);

type Act =
  | { readonly act: "hold" | "forget old" | "read old"; readonly which: number; readonly index: number }
  | { readonly act: "read" | "use" | "forget"; readonly domain: number; readonly index: number };

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    act: fc.constantFrom("hold", "hold", "forget old", "read old"),
    which: fc.nat(POOL.length - 1),
    index: fc.nat(3),
  }),
  fc.record({
    act: fc.constantFrom("read", "read", "read", "use", "forget"),
    domain: fc.nat(DOMAINS.length - 1),
    index: fc.nat(3),
  }),
) as fc.Arbitrary<Act>;

/** A cache, and every manifest that was ever in it. */
class Trial {
  readonly memory: BlobCache;
  readonly #held = new Map<number, CachedManifest>();

  constructor(limit: number) {
    this.memory = new BlobCache(limit);
  }

  do(it: Act): void {
    const { memory } = this;
    if ("which" in it) {
      const { manifest } = POOL[it.which] as Made;
      if (it.act === "hold") {
        memory.put(manifest, READ_AT);
        this.#held.set(it.which, heldOf(memory, manifest.domain));
        return;
      }
      const held = this.#held.get(it.which);
      if (held === undefined) return;
      if (it.act === "forget old") memory.delete(held);
      else this.#read(held, it.which, it.index);
      return;
    }
    const domain = DOMAINS[it.domain] as string;
    const held = memory.get(domain);
    if (held === undefined || it.act === "use") return;
    if (it.act === "forget") memory.delete(held);
    else
      this.#read(
        held,
        POOL.findIndex(({ manifest }) => manifest === held.manifest),
        it.index,
      );
  }

  /** The end of a request that read blobs for a manifest, which may have been replaced meanwhile. */
  #read(held: CachedManifest, which: number, index: number): void {
    for (const table of TABLES) {
      const bytes = (POOL[which] as Made).blobs[table][index];
      if (bytes !== undefined) this.memory.putBlob(held, table, index, decode(table, bytes));
    }
  }
}

/** What must be in memory if nothing is ever evicted: by domain and table, ids by index. */
class Expected {
  readonly #present = new Map<string, Made>();
  readonly #blobs = new Map<string, Map<string, string>>();

  do(it: Act, wasHeld: boolean): void {
    if ("which" in it) {
      const made = POOL[it.which] as Made;
      const { domain } = made.manifest;
      const present = this.#present.get(domain);
      if (it.act === "hold") {
        const before = this.#blobs.get(domain) ?? new Map<string, string>();
        const ids = idsOf(made);
        this.#blobs.set(domain, new Map([...before].filter(([place, id]) => ids.get(place) === id)));
        this.#present.set(domain, made);
      } else if (!wasHeld || present === undefined) return;
      else if (it.act === "forget old") {
        if (present === made) this.#forget(domain);
      } else this.#read(domain, made, it.index);
      return;
    }
    const domain = DOMAINS[it.domain] as string;
    const present = this.#present.get(domain);
    if (present === undefined || it.act === "use") return;
    if (it.act === "forget") this.#forget(domain);
    else this.#read(domain, present, it.index);
  }

  #forget(domain: string): void {
    this.#present.delete(domain);
    this.#blobs.delete(domain);
  }

  #read(domain: string, made: Made, index: number): void {
    const wanted = idsOf(this.#present.get(domain) as Made);
    for (const [place, id] of idsOf(made))
      if (place.endsWith(` ${index}`) && wanted.get(place) === id) this.#blobs.get(domain)?.set(place, id);
  }

  contents(): Record<string, Record<string, string>> {
    return Object.fromEntries([...this.#present.keys()].map((domain) => [domain, this.#of(domain)]));
  }

  #of(domain: string): Record<string, string> {
    return Object.fromEntries(this.#blobs.get(domain) ?? []);
  }
}

/** Ids of a generation's blobs by table, bits and index. */
const idsOf = ({ manifest, blobs }: Made): Map<string, string> =>
  new Map(
    TABLES.flatMap((table) =>
      blobs[table].map((bytes, i) => [`${table} ${manifest[table].bits} ${i}`, idOf(bytes)] as const),
    ),
  );

const contentsOf = (memory: BlobCache): Record<string, Record<string, string>> =>
  Object.fromEntries(
    DOMAINS.flatMap((domain) => {
      const held = memory.peek(domain);
      if (held === undefined) return [];
      const blobs = TABLES.flatMap((table) =>
        atHand(memory, table, domain).map((index) => {
          const { bytes } = blobOf(held, table, index) as { readonly bytes: Uint8Array };
          return [`${table} ${held.manifest[table].bits} ${index}`, idOf(bytes)] as const;
        }),
      );
      return [[domain, Object.fromEntries(blobs)]];
    }),
  );

describe("any sequence of operations on the blob cache", () => {
  it("keeps what was read and is still named, and counts it to the byte", () => {
    forAll([fc.array(anyAct, { maxLength: 60 })], (acts) => {
      const trial = new Trial(Number.POSITIVE_INFINITY);
      const expected = new Expected();
      const seen = new Set<number>();
      for (const act of acts) {
        trial.do(act);
        expected.do(act, "which" in act && seen.has(act.which));
        if (act.act === "hold") seen.add(act.which);
        expect(contentsOf(trial.memory)).toEqual(expected.contents());
        expect(trial.memory.size).toBe(sizeOfContents(trial.memory, DOMAINS));
      }
    });
  });

  it("keeps a cache that is too small within its bounds, and counts it to the byte", () => {
    forAll([fc.integer({ min: 17_000, max: 40_000 }), fc.array(anyAct, { maxLength: 60 })], (limit, acts) => {
      const trial = new Trial(limit);
      for (const act of acts) {
        trial.do(act);
        expect(trial.memory.size).toBeLessThanOrEqual(limit);
        expect(trial.memory.size).toBe(sizeOfContents(trial.memory, DOMAINS));
        requireRight(trial.memory, DOMAINS);
      }
    });
  });
});

/** Which names a list refuses by an entry, and the head accepts without one: only who reads the list has their text. */
import {
  type BlobTable,
  blobIds,
  type DomainKey,
  type DomainPolicy,
  decodeShard,
  findEntry,
  isCovered,
  type OtherEntry,
  type OtherWays,
  otherWays,
  type PatchedName,
  patternShardOf,
  shardOf,
  tailOf,
  toHex,
} from "../directory/index.ts";
import type { Base } from "./base.ts";
import type { RemoteList } from "./compare.ts";
import type { PackedList } from "./pack.ts";

/** Names that are looked up, at most. With more, all that the list newly refuses are taken for names that the head accepts. */
export const MAX_COVERED = 100_000;

/** What a name that is not listed may be accepted by. */
export interface CoveringRules {
  readonly policy: DomainPolicy;
  /** Whether there are patterns, or may be some that left and whose names are deferred. */
  readonly hasPatterns: boolean;
}

/** The names of a list that it refuses, each with how the head may accept it. */
export class RefusedNames {
  readonly #rules: CoveringRules;
  readonly #ways = new Map<number, OtherWays>();
  #isWhole = true;

  /** @param rules those of the head */
  constructor(rules: CoveringRules) {
    this.#rules = rules;
  }

  /** @param tail its own */
  add(key: DomainKey, name: string, tail: number): void {
    const { policy, hasPatterns } = this.#rules;
    const ways = otherWays(key, name, policy, hasPatterns);
    if (ways.entries.length === 0 && !ways.isPostmaster) return;
    if (this.#ways.size < MAX_COVERED) this.#ways.set(tail, ways);
    else this.#isWhole = false;
  }

  /**
   * Those of some names that the head accepts.
   * @param tails of names that the head does not list
   * @returns null if that is not known
   */
  async coveredBy(
    head: Pick<Base, "list" | "patterns" | "isLeaving">,
    packed: PackedList,
    tails: Iterable<number>,
  ): Promise<Set<number> | null> {
    if (!this.#isWhole) return null;
    const asked = [...tails].flatMap((tail) => {
      const ways = this.#ways.get(tail);
      return ways === undefined ? [] : [{ tail, ways }];
    });
    const entries = asked.flatMap(({ ways }) => ways.entries);
    const states = await statesOf(head.list, packed, entries);
    const patterns = patternShardOf(head.patterns);
    const stateOf = ({ print, isPattern }: OtherEntry): number =>
      isPattern ? findEntry(patterns, print) : (states.get(toHex(print)) ?? -1);
    return new Set(
      asked.flatMap(({ tail, ways }) => (isCovered(ways, head.isLeaving, stateOf) ? [tail] : [])),
    );
  }
}

/** Names that a plan lists as disabled or moved, and the head does not list. */
export class NewlyRefused {
  readonly tails = new Set<number>();
  count = 0;

  /** Whether it has all tails: very many are only counted. */
  get isWhole(): boolean {
    return this.tails.size === this.count;
  }

  add(tail: number): void {
    this.count++;
    if (this.tails.size < MAX_COVERED) this.tails.add(tail);
  }
}

/**
 * Names that are refused from now on by a new entry, and that the head accepts without listing them. Of names that single
 * changes listed, nobody has the text.
 * @param patched names that single changes changed
 * @returns null if it is not known, or if there are none
 */
export async function coveredOf(
  live: Base,
  { packed, refused }: { readonly packed: PackedList; readonly refused?: RefusedNames | undefined },
  { tails, isWhole, count }: NewlyRefused,
  patched: readonly PatchedName[],
): Promise<ReadonlySet<number> | null> {
  if (count === 0 || !isWhole) return null;
  const covered = (await refused?.coveredBy(live, packed, tails)) ?? null;
  for (const { fingerprint } of patched)
    if (tails.has(tailOf(fingerprint))) covered?.add(tailOf(fingerprint));
  return covered;
}

/** What a list stored elsewhere has of names, by their prints in hex. Reads each shard once, and none that both lists have. */
async function statesOf(
  { table, read }: RemoteList,
  packed: PackedList,
  entries: readonly OtherEntry[],
): Promise<ReadonlyMap<string, number>> {
  const ids = blobIds(table);
  const own = new Map(blobIds(packed.table).map((id, i) => [id, packed.shards[i]]));
  const byShard = new Map<number, Uint8Array[]>();
  for (const { print, isPattern } of entries) {
    if (isPattern) continue;
    const index = shardOf(print, table.bits);
    const group = byShard.get(index) ?? [];
    group.push(print);
    byShard.set(index, group);
  }
  const states = new Map<string, number>();
  for (const [index, prints] of byShard) {
    const shard = decodeShard(await bytesOf(table, ids[index] as string, own, read));
    for (const print of prints) states.set(toHex(print), findEntry(shard, print));
  }
  return states;
}

const bytesOf = async (
  { inline }: BlobTable,
  id: string,
  own: ReadonlyMap<string, Uint8Array | undefined>,
  read: RemoteList["read"],
): Promise<Uint8Array> => inline ?? own.get(id) ?? (await read(id));

/** What the guard of law 4 costs a commit, in a long list after many generations within the day. */
import { readFileSync } from "node:fs";
import type { RollcallClient } from "../../src/client/index.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  DEFAULT_POLICY,
  type DomainKey,
  decodeShard,
  deriveDomainKey,
  type Entries,
  encodeShard,
  entriesOf,
  readMasterKey,
  sentinels,
  toHex,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { tableFrom } from "../../src/publish/index.ts";
import type { Extent, Measurement, Suite } from "../report/measurement.ts";
import { DOMAIN } from "../rig/lists.ts";
import { clientOf } from "../rig/publisher.ts";
import { spreadOf } from "../rig/rounds.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { publishedWorld, type World } from "../rig/world.ts";
import { MILLION } from "./checks.ts";

/** Commits at the beginning and at the end of the day that are compared. */
const COMPARED = 25;
/** Share of the names that goes in the last commit: one that the guard still lets through. */
const SHARE = 0.15;

export const guard: Suite = {
  name: "guard",
  lacks: () => [],
  async run(extent, tell) {
    const { world, mailboxes } = await publishedWorld(extent.isQuick ? MILLION / 10 : 10 * MILLION, tell);
    const edge = await world.serve();
    try {
      const list = await List.of(world, edge);
      const generations = extent.isQuick ? 4 * COMPARED : 1_000;
      const times: number[] = [];
      for (let i = 0; i < generations; i++) {
        // In turn a name goes, and one that is gone comes back.
        times.push(await list.commit(i % 3 === 2 ? "back" : "gone", 1));
        if (i % 100 === 99) tell(`${i + 1} of ${generations} generations of one name each`);
      }
      const before = rss(edge);
      tell(`a commit that takes ${SHARE * 100} % of the names`);
      const wide = await list.commit("gone", Math.floor((SHARE * mailboxes) / list.shards));
      return [...oneName(times, mailboxes, extent), many(wide, mailboxes, rss(edge) - before)];
    } finally {
      await edge.stop();
    }
  },
};

function oneName(times: readonly number[], mailboxes: number, { isQuick }: Extent): Measurement[] {
  const first = spreadOf(times.slice(0, COMPARED));
  const last = spreadOf(times.slice(-COMPARED));
  const what = `a commit of one name in ${mailboxes.toLocaleString("en")}`;
  return [
    {
      id: "guard.one-name",
      what: `${what}, after ${times.length.toLocaleString("en")} in the day, against the first ones`,
      value: last.median / first.median,
      unit: "x",
      ...(isQuick ? {} : { bar: { kind: "at most", value: 2 } as const }),
      detail: { "seconds of the first": first.median, "seconds of the last": last.median },
    },
  ];
}

const many = (seconds: number, mailboxes: number, grown: number): Measurement => ({
  id: "guard.many-names",
  what: `a commit that takes ${SHARE * 100} % of ${mailboxes.toLocaleString("en")} names, behind them`,
  value: seconds,
  unit: "s",
  detail: { "workerd grew by bytes": grown },
});

/** Resident bytes of the process that the Registry lives in. */
function rss({ pid }: ServedEdge): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) * 1024;
}

/** Names of one shard that went. */
interface Gone {
  readonly shard: number;
  readonly tails: readonly number[];
}

/** The published list, changed in place: a publish of the whole would cost more than what is measured. */
class List {
  readonly #client: RollcallClient;
  readonly #key: DomainKey;
  readonly #bits: number;
  readonly #ids: string[];
  readonly #gone: Gone[] = [];
  #generation: number;
  #next = 0;

  private constructor(
    client: RollcallClient,
    key: DomainKey,
    ids: string[],
    bits: number,
    generation: number,
  ) {
    this.#client = client;
    this.#key = key;
    this.#ids = ids;
    this.#bits = bits;
    this.#generation = generation;
  }

  static async of(world: World, edge: ServedEdge): Promise<List> {
    const client = clientOf(world, edge);
    const head = await client.domain(DOMAIN);
    if (head === null) throw new Error(`${DOMAIN} was not published`);
    const table = tableFrom(head.shards);
    const key = deriveDomainKey(stablelibHashing, readMasterKey(world.masterKey), DOMAIN, head.epoch);
    return new List(client, key, blobIds(table), table.bits, head.generation);
  }

  get shards(): number {
    return this.#ids.length;
  }

  /**
   * Takes names out of the list, or brings some back that went.
   * @param names of one shard where it is 1, else of every shard
   * @returns seconds of the commit, its shards put before
   */
  async commit(change: "gone" | "back", names: number): Promise<number> {
    const shards = names === 1 ? [this.#next++ % this.shards] : this.#ids.keys();
    if (change === "back") await this.#bringBack();
    else for (const shard of shards) await this.#take(shard, names);
    const begun = performance.now();
    const { generations } = await this.#client.commit({
      domains: [
        {
          domain: DOMAIN,
          expect: this.#generation,
          epoch: this.#key.epoch,
          key_id: this.#key.id,
          canonicaliser: CANONICALISER_VERSION,
          sentinels: sentinels(this.#key.names, DEFAULT_POLICY),
          shards: { bits: this.#bits, ids: this.#ids },
        },
      ],
    });
    this.#generation = generations[DOMAIN] as number;
    return (performance.now() - begun) / 1000;
  }

  async #take(shard: number, names: number): Promise<void> {
    const { tails, states } = await this.#read(shard);
    this.#gone.push({ shard, tails: [...tails.subarray(0, names)] });
    await this.#put(shard, { tails: tails.slice(names), states: states.slice(names) });
  }

  async #bringBack(): Promise<void> {
    const { shard, tails: gone } = this.#gone.shift() as Gone;
    const tails = Float64Array.from([...(await this.#read(shard)).tails, ...gone]).sort();
    await this.#put(shard, { tails, states: new Uint8Array(tails.length) });
  }

  async #read(shard: number): Promise<Entries> {
    return entriesOf(decodeShard(await this.#client.shard(DOMAIN, this.#ids[shard] as string)));
  }

  async #put(shard: number, entries: Entries): Promise<void> {
    const bytes = encodeShard(entries, this.#bits, shard);
    const id = toHex(stablelibHashing.sha256(bytes));
    await this.#client.putShard(DOMAIN, id, bytes);
    this.#ids[shard] = id;
  }
}

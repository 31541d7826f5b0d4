/** Publishing in this process, with the code of src/publish: for what the command as a whole would hide. */
import { type DomainDescription, MAX_COMMIT_DOMAINS } from "../../src/api/index.ts";
import { createClient, type RollcallClient } from "../../src/client/index.ts";
import {
  blobIds,
  DEFAULT_POLICY,
  type DomainKey,
  decodeShard,
  deriveDomainKey,
  type Entries,
  encodeShard,
  entriesOf,
  fingerprint,
  partitionOf,
  readMasterKey,
  toHex,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { EntryColumns } from "../../src/publish/entries.ts";
import {
  commitOf,
  commitPlans,
  type DomainPlan,
  openFile,
  planDomain,
  publishLists,
  readList,
  tableFrom,
} from "../../src/publish/index.ts";
import { packList } from "../../src/publish/pack.ts";
import { pause } from "../../test/mta/support/waiting.ts";
import type { Tell } from "../report/measurement.ts";
import { DOMAIN, KNOWN } from "./lists.ts";
import type { ServedEdge } from "./workerd.ts";
import type { World } from "./world.ts";

export const clientOf = (world: World, edge: ServedEdge, token = world.admin): RollcallClient =>
  createClient({
    url: edge.origin,
    token,
    fetch: (input, init) => fetch(input, init),
    now: () => performance.now(),
    sleep: pause,
  });

const ports = (client: RollcallClient) => ({
  client,
  hashing: stablelibHashing,
  timers: { sleep: pause },
  recorder: null,
  progress: {},
});

/**
 * Publishes a list of the benchmark's domain as the command does.
 * @param planned called once the plan is finished
 * @returns seconds from there until the acknowledgement
 */
export async function publish(
  client: RollcallClient,
  path: string,
  planned: () => Promise<void> = async () => undefined,
): Promise<number> {
  let since = Number.NaN;
  const confirm = async (): Promise<void> => {
    await planned();
    since = performance.now();
  };
  const target = {
    ...{ domain: DOMAIN, source: openFile({ path, shown: path }), policy: {}, canaries: [] },
    mode: "enforce" as const,
  };
  await publishLists({ ...ports(client), confirm }, [target]);
  return (performance.now() - since) / 1000;
}

/**
 * Publishes many small domains, each with the same local parts, piece by piece: the Registry copies some to KV while
 * the next are prepared.
 * @param partitions Registries over which the domains are spread
 */
export async function publishMany(
  world: World,
  edge: ServedEdge,
  domains: readonly string[],
  names: readonly string[],
  partitions: number,
  tell: Tell,
): Promise<void> {
  const client = clientOf(world, edge);
  const planOf = (domain: string): Promise<DomainPlan> => {
    // In a deployment that is empty, every domain is at its first epoch.
    const key = deriveDomainKey(stablelibHashing, readMasterKey(world.masterKey), domain, 1);
    const partition = partitionOf(stablelibHashing, domain, partitions);
    return planDomain({ domain, key, partition, packed: pack(key, names), policy: {}, canaries: [] }, null);
  };
  const width = partitions * MAX_COMMIT_DOMAINS;
  for (let from = 0; from < domains.length; from += width) {
    const plans: DomainPlan[] = [];
    for (const domain of domains.slice(from, from + width)) plans.push(await planOf(domain));
    await commitPlans(ports(client), plans);
    tell(`${from + plans.length} of ${domains.length} are in the Registry`);
  }
}

/** Fingerprints and shards of local parts that are canonical already. */
export function pack(key: DomainKey, names: readonly string[]) {
  const entries = new EntryColumns();
  for (const [line, name] of names.entries()) entries.add(fingerprint(key.names, name), 0, line);
  return packList(entries, stablelibHashing);
}

/** CPU seconds of this process, for a list read from a file, and for its fingerprints and shards alone. */
export async function packingCosts(path: string, names: number): Promise<{ whole: number; packing: number }> {
  const key = deriveDomainKey(stablelibHashing, new Uint8Array(32), DOMAIN, 1);
  const list = Array.from({ length: names }, (_, i) => `${KNOWN}${i}`);
  const packing = await cpuSeconds(() => pack(key, list));
  const source = openFile({ path, shown: path });
  const whole = await cpuSeconds(() =>
    readList({ source, domain: DOMAIN, key, policy: DEFAULT_POLICY, hashing: stablelibHashing }),
  );
  return { whole, packing };
}

async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The published list, changed shard by shard: to plan and publish all of it would cost more than what is measured. */
export class PublishedList {
  readonly #client: RollcallClient;
  readonly #key: DomainKey;
  readonly #bits: number;
  readonly #ids: string[];
  /** Names of one shard that left, oldest first. */
  readonly #gone: { readonly shard: number; readonly tails: readonly number[] }[] = [];
  #generation: number;

  private constructor(client: RollcallClient, key: DomainKey, head: DomainDescription) {
    const table = tableFrom(head.shards);
    this.#client = client;
    this.#key = key;
    this.#bits = table.bits;
    this.#ids = blobIds(table);
    this.#generation = head.generation;
  }

  static async of(world: World, edge: ServedEdge): Promise<PublishedList> {
    const client = clientOf(world, edge);
    const head = await client.domain(DOMAIN);
    if (head === null) throw new Error(`${DOMAIN} was not published`);
    const key = deriveDomainKey(stablelibHashing, readMasterKey(world.masterKey), DOMAIN, head.epoch);
    return new PublishedList(client, key, head);
  }

  get shards(): number {
    return this.#ids.length;
  }

  /** Takes names out of a shard. */
  async take(shard: number, names: number): Promise<void> {
    const { tails, states } = await this.#read(shard);
    this.#gone.push({ shard, tails: [...tails.subarray(0, names)] });
    await this.#put(shard, { tails: tails.slice(names), states: states.slice(names) });
  }

  /** Puts back what was taken first. */
  async bringBack(): Promise<void> {
    const first = this.#gone.shift();
    if (first === undefined) throw new Error("nothing was taken");
    const tails = Float64Array.from([...(await this.#read(first.shard)).tails, ...first.tails]).sort();
    await this.#put(first.shard, { tails, states: new Uint8Array(tails.length) });
  }

  /** Commits what was taken and put back; its shards are in the Registry already. */
  async commit(): Promise<void> {
    const list = commitOf({
      key: this.#key,
      expect: this.#generation,
      policy: {},
      resultingPolicy: DEFAULT_POLICY,
      packed: { table: tableFrom({ bits: this.#bits, ids: this.#ids }), patterns: null },
    });
    this.#generation = (await this.#client.commit({ domains: [list] })).generations[DOMAIN] as number;
  }

  async #read(shard: number): Promise<Entries> {
    return entriesOf(decodeShard(await this.#client.blob(DOMAIN, this.#ids[shard] as string)));
  }

  async #put(shard: number, entries: Entries): Promise<void> {
    const bytes = encodeShard(entries, this.#bits, shard);
    const id = toHex(stablelibHashing.sha256(bytes));
    await this.#client.putShard(DOMAIN, id, bytes);
    this.#ids[shard] = id;
  }
}

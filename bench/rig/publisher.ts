/** Publishing in this process, with the code of src/publish: for what the command as a whole would hide. */
import { MAX_COMMIT_DOMAINS } from "../../src/api/contract.ts";
import { createClient, type RollcallClient } from "../../src/client/index.ts";
import {
  DEFAULT_POLICY,
  type DomainKey,
  deriveDomainKey,
  fingerprint,
  partitionOf,
  readMasterKey,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { EntryColumns } from "../../src/publish/entries.ts";
import {
  commitPlans,
  type DomainPlan,
  openSource,
  planDomain,
  planList,
  readList,
  startOf,
} from "../../src/publish/index.ts";
import { packList } from "../../src/publish/pack.ts";
import { DOMAIN } from "./lists.ts";
import type { ServedEdge } from "./workerd.ts";
import type { World } from "./world.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const clientOf = (world: World, edge: ServedEdge): RollcallClient =>
  createClient({
    url: edge.origin,
    token: world.admin,
    fetch: (input, init) => fetch(input, init),
    now: () => performance.now(),
    sleep,
  });

/** Reads, packs and compares a list of the benchmark's domain; what is left to do is {@link commit}. */
export async function plan(client: RollcallClient, path: string): Promise<DomainPlan> {
  const parts = { hashing: stablelibHashing, recorder: null, judge: async (it: DomainPlan) => it };
  const target = { domain: DOMAIN, source: openSource({ path, shown: path }), policy: {}, canaries: [] };
  return (await planList(parts, target, await startOf(client, stablelibHashing, DOMAIN))).plan;
}

/** Commits plans, with the shards that the edge lacks. @returns seconds until the acknowledgement */
export async function commit(client: RollcallClient, plans: readonly DomainPlan[]): Promise<number> {
  const begun = performance.now();
  await commitPlans({ client, timers: { sleep }, recorder: null, progress: {} }, plans);
  return (performance.now() - begun) / 1000;
}

/**
 * Publishes many small domains, each with the same local parts. They go in by and by, so that the Registry copies some
 * to KV while the next are made ready.
 * @param partitions Registries over which the domains are spread
 */
export async function publishMany(
  world: World,
  client: RollcallClient,
  domains: readonly string[],
  names: readonly string[],
  partitions: number,
  tell: (line: string) => void,
): Promise<void> {
  const master = readMasterKey(world.masterKey);
  const planOf = (domain: string): Promise<DomainPlan> => {
    // Of a deployment that has nothing yet, every domain is at its first epoch.
    const key = deriveDomainKey(stablelibHashing, master, domain, 1);
    const partition = partitionOf(stablelibHashing, domain, partitions);
    return planDomain({ domain, key, partition, packed: pack(key, names), policy: {}, canaries: [] }, null);
  };
  const width = partitions * MAX_COMMIT_DOMAINS;
  for (let from = 0; from < domains.length; from += width) {
    const plans: DomainPlan[] = [];
    for (const domain of domains.slice(from, from + width)) plans.push(await planOf(domain));
    await commit(client, plans);
    tell(`${from + plans.length} of ${domains.length} are in the Registry`);
  }
}

function pack(key: DomainKey, names: readonly string[]) {
  const entries = new EntryColumns();
  for (const [line, name] of names.entries()) entries.add(fingerprint(key.names, name), 0, line);
  return packList(entries, stablelibHashing);
}

/** CPU seconds of this process, for a list read from a file, and for its fingerprints and shards alone. */
export async function packingCosts(path: string, names: number): Promise<{ whole: number; packing: number }> {
  const key = deriveDomainKey(stablelibHashing, new Uint8Array(32), DOMAIN, 1);
  const list = Array.from({ length: names }, (_, i) => `user${i}`);
  const packing = await cpuSeconds(() => pack(key, list));
  const source = openSource({ path, shown: path });
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

import type { DomainDescription, DomainSummary, EdgeStatus, RegistryStatus } from "../api/index.ts";
import { ClientError, type RollcallClient } from "../client/index.ts";
import { type Counts, MAX_SHARD_ENTRIES } from "../directory/index.ts";
import type { Published } from "../publish/index.ts";
import { isTrialDomain } from "./trial.ts";

/** One domain's list. */
export interface ListState {
  readonly domain: string;
  readonly state: "served" | "deleted" | "none";
  readonly generation: number | null;
  readonly mode: string | null;
  readonly counts: Counts | null;
  /** Patterns of the list; null if that is not known. */
  readonly patterns: number | null;
  readonly alias: string | null;
  /** When the list was published, or last found by this host to be the newest; Unix milliseconds. */
  readonly current: number | null;
  /** How KV compares with the head; null if that was not asked. */
  readonly kv: string | null;
  /** Whether the list was made under the edge's key; null if that is not known. */
  readonly key_fits: boolean | null;
  readonly stale: boolean;
  /** Names that left and are deferred, and why; null if there are none. */
  readonly brake: DomainSummary["brake"];
  /** When its list-wide grace ends, Unix milliseconds; null without one. */
  readonly refuses_from: number | null;
  /** About how many distinct names enforce mode would have refused in the last day; null in enforce mode. */
  readonly would_refuse: number | null;
  /** Names whose single changes no publish has settled, up to 10,000; null if the edge does not say. */
  readonly open_changes: number | null;
  /** Names in a shard on average; null if the edge does not say. */
  readonly names_per_shard: number | null;
  /** Rows that the sources left out when this host last published the list; null if it does not know. */
  readonly left_out: number | null;
  /** What is damaged or lost of the list in the Registry; null if nothing is known of it. */
  readonly fault: string | null;
  /** Whether its shards are half full, so that single changes will stop with `repack_needed` unless it is published. */
  readonly publish_soon: boolean;
}

/** What decides whether a list is stale. */
export interface Freshness {
  readonly now: number;
  /** Milliseconds; undefined: no list is stale. */
  readonly maxAge: number | undefined;
  /** URL of the edge, as this host's records name it. */
  readonly url: string;
  /** When this host last found its list to be the head. */
  published(domain: string): Published | null;
}

export interface ListReport {
  readonly lists: readonly ListState[];
  /** Null if the token may not see it, or domains were named. */
  readonly registry: RegistryStatus | null;
}

/**
 * Shows the lists of the domains that are named; with none, of all that the token covers, and those that this host
 * should publish.
 * @param configured domains that this host should publish
 */
export async function inspectLists(
  client: RollcallClient,
  names: readonly string[],
  configured: readonly string[],
  freshness: Freshness,
): Promise<ListReport> {
  if (names.length > 0) return { lists: await named(client, names, freshness), registry: null };
  const [domains, registry] = await Promise.all([client.domains(), unlessForbidden(client.registry())]);
  const listed = new Set(domains.map(({ domain }) => domain));
  const missing = configured.filter((domain) => !listed.has(domain));
  const lists = domains
    .filter((each) => each.deleted_until === null || !isTrialDomain(each.domain))
    .map((summary) => stateOf(summary.domain, summary, freshness));
  return { lists: [...lists, ...(await named(client, missing, freshness))], registry };
}

/** What the edge answered and which faults it met; null if the token may not see it, or nothing was published yet. */
export async function inspectCounters(
  client: RollcallClient,
  names: readonly string[],
): Promise<EdgeStatus | null> {
  // Trial domains carry no mail, so they show only if they are named.
  const isShown = ({ domain }: { readonly domain: string | null }): boolean =>
    domain === null || names.includes(domain) || !isTrialDomain(domain);
  try {
    const { answers, faults } = await client.status();
    return { answers: answers.filter(isShown), faults: faults.filter(isShown) };
  } catch (error) {
    if (isForbidden(error)) return null;
    const code = error instanceof ClientError ? error.code : null;
    if (code === "not_found" || code === "uninitialised") return null;
    throw error;
  }
}

async function named(
  client: RollcallClient,
  domains: readonly string[],
  freshness: Freshness,
): Promise<ListState[]> {
  const heads = await headsOf(client, domains);
  const states: ListState[] = [];
  for (const domain of domains) {
    const head = heads.get(domain) ?? null;
    if (head === null) await requireCovered(client, domain);
    states.push(stateOf(domain, head, freshness));
  }
  return states;
}

type Heads = Map<string, DomainDescription | DomainSummary | null>;

/** A token that may only check sees heads in the listing, without the state of KV. */
async function headsOf(client: RollcallClient, domains: readonly string[]): Promise<Heads> {
  const heads: Heads = new Map();
  try {
    for (const domain of domains) heads.set(domain, await client.domain(domain));
    return heads;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return new Map((await client.domains()).map((summary) => [summary.domain, summary]));
  }
}

function stateOf(
  domain: string,
  head: DomainDescription | DomainSummary | null,
  { now, maxAge, url, published }: Freshness,
): ListState {
  const seen = published(domain);
  const foundLater = head !== null && seen?.url === url && seen.generation === head.generation;
  const current = head === null ? null : Math.max(head.time, foundLater ? seen.time : 0);
  const state = head === null ? "none" : head.deleted_until === null ? "served" : "deleted";
  const alias = head?.alias ?? null;
  const names = head?.names_per_shard ?? null;
  // A deleted domain was deleted on purpose, and an alias has no list.
  const mayBeStale = maxAge !== undefined && state !== "deleted" && alias === null;
  return {
    domain,
    state,
    generation: head?.generation ?? null,
    mode: head?.mode ?? null,
    counts: head?.counts ?? null,
    patterns: head?.patterns ?? null,
    alias,
    current,
    kv: head !== null && "kv" in head ? head.kv.state : null,
    key_fits: head?.key_fits ?? null,
    brake: head?.brake ?? null,
    refuses_from: head?.refuses_from ?? null,
    would_refuse: head?.would_refuse ?? null,
    open_changes: head?.open_changes ?? null,
    names_per_shard: names,
    left_out: seen?.url === url ? leftOutOf(seen) : null,
    fault: head?.fault ?? null,
    publish_soon: state === "served" && (names ?? 0) > MAX_SHARD_ENTRIES / 2,
    stale: mayBeStale && (current === null || now - current > maxAge),
  };
}

const leftOutOf = ({ sources }: Published): number | null =>
  sources === undefined ? null : Object.values(sources).reduce((sum, { left_out }) => sum + left_out, 0);

/** What a token does not cover looks like a domain without a list. @throws ClientError `forbidden` */
async function requireCovered(client: RollcallClient, domain: string): Promise<void> {
  const outcome = await client.check(`postmaster@${domain}`);
  // Only an answer about a domain that the token does not cover names none.
  if (outcome.kind === "answer" && outcome.answer.domain === null) {
    throw new ClientError("forbidden", `this token does not cover ${domain}`);
  }
}

const isForbidden = (error: unknown): boolean => error instanceof ClientError && error.kind === "forbidden";

const unlessForbidden = <T>(asked: Promise<T>): Promise<T | null> =>
  asked.catch((error: unknown) => {
    if (isForbidden(error)) return null;
    throw error;
  });

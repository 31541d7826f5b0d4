import type { DomainDescription, DomainKeyBody, DomainSummary, HeadResult, Result } from "../../api/index.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  DirectoryError,
  listedPatterns,
  type ManifestRecord,
  manifestKey,
  openManifest,
  readManifest,
  toBase64Url,
} from "../../directory/index.ts";
import { type Changed, type HeadSummary, summaryOf } from "../../registry/index.ts";
import type { Deployment } from "../deployment.ts";
import { oneMore, pageOf, readPaging } from "./paging.ts";
import { badRequest, type Handler, notFound, type RouteCall, reachOf, registryOf, unwrap } from "./route.ts";

export const listDomains: Handler<"listDomains"> = async ({ request, deployment, context, caller }) => {
  const paging = readPaging(request, (after) => (after === "" ? null : after));
  const { after, limit, isWhole } = paging;
  const names = caller.domains === null ? null : [...caller.domains];
  let heads: HeadSummary[] = [];
  for (let partition = 0; partition < deployment.settings.partitions; partition++) {
    const own = names?.filter((name) => deployment.reader.partitionOf(name) === partition);
    if (own?.length === 0) continue;
    const registry = context.bindings.registry(partition);
    const more = await (own === undefined ? registry.domains(oneMore(paging)) : registry.domainsNamed(own));
    // Named domains come all at once, on every page.
    heads.push(...unwrap(more).filter(({ domain }) => after === null || domain > after));
    if (isWhole && heads.length > limit) break;
    heads = heads.sort((a, b) => (a.domain < b.domain ? -1 : 1)).slice(0, limit + 1);
  }
  const { page, next } = pageOf(heads, paging, ({ domain }) => domain);
  return { domains: page.map((head) => seenFromHere(deployment, head)), next };
};

/** A head with the members that only the edge knows. */
function seenFromHere(deployment: Deployment, head: HeadSummary): DomainSummary {
  const { domain, time, epoch, key_id, refuses_from } = head;
  const now = deployment.now();
  return {
    ...head,
    age: Math.max(0, Math.floor((now - time) / 1000)),
    refuses_from: refuses_from !== null && refuses_from > now ? refuses_from : null,
    key_fits: deployment.keyFor(domain, epoch).id === key_id,
  };
}

export const showDomain: Handler<"showDomain"> = async (call) => {
  const { deployment, params } = call;
  const found = unwrap(await registryOf(call, params.domain).patched(params.domain));
  if (found === null) throw notFound(params.domain);
  const manifest = readManifest(found.manifest, params.domain);
  const { domain, shards, canonicaliser, policy, departures } = manifest;
  const table = listedPatterns(manifest);
  const { generation, names, atOnce, brake, would_refuse, open_changes, fault } = found;
  return {
    ...seenFromHere(deployment, { ...summaryOf(manifest), brake, would_refuse, open_changes, fault }),
    partition: deployment.reader.partitionOf(domain),
    policy,
    canonicaliser,
    shards:
      shards.inline === null
        ? { bits: shards.bits, ids: blobIds(shards) }
        : { bits: 0, inline: toBase64Url(shards.inline) },
    departures: departures.count,
    pattern_table: table && toBase64Url(table),
    patched: { generation, names: toBase64Url(names), at_once: toBase64Url(atOnce) },
    kv: await kvAgainst(call, manifest),
  };
};

export const domainKey: Handler<"domainKey"> = async (call) => {
  const { deployment, params, request } = call;
  const { domain } = params;
  const asked = new URL(request.url).searchParams.get("epoch");
  const wanted = asked === null ? null : wholeNumber(asked);
  if (asked !== null && !wanted) throw badRequest("epoch must be a whole number from 1");
  const result = await registryOf(call, domain).head(domain);
  // Before the first commit of a deployment there is no Registry, and every domain is at its first epoch.
  const isBefore = !result.ok && result.error.code === "uninitialised";
  const bytes = isBefore ? null : unwrap(result);
  const newest = bytes === null ? 1 : readManifest(bytes, domain).epoch;
  const epoch = wanted ?? newest;
  // A token that is stolen or revoked must not have given the keys of later rotations.
  if (epoch > newest) {
    throw notFound(domain, `${domain} has no key of epoch ${epoch} yet: its newest epoch is ${newest}`);
  }
  return keyBody(deployment, domain, epoch);
};

export const nextKey: Handler<"nextKey"> = async (call) => {
  const { deployment, params, caller } = call;
  const { domain } = params;
  return keyBody(deployment, domain, unwrap(await registryOf(call, domain).grantKey(domain, caller.id)));
};

function keyBody(deployment: Deployment, domain: string, epoch: number): DomainKeyBody {
  const key = deployment.keyFor(domain, epoch);
  return {
    domain,
    epoch,
    key: toBase64Url(key.secret),
    key_id: key.id,
    canonicaliser: CANONICALISER_VERSION,
    partition: deployment.reader.partitionOf(domain),
  };
}

export const domainManifest: Handler<"domainManifest"> = async (call) =>
  (await headOf(call, call.params.domain)).bytes;

export const putShard: Handler<"putShard"> = async (call) => {
  const { domain, id } = call.params;
  unwrap(await registryOf(call, domain).putShard(domain, id, call.body, call.caller.id));
  return { done: true };
};

export const getShard: Handler<"getShard"> = async (call) => {
  const { domain, id } = call.params;
  const bytes = unwrap(await registryOf(call, domain).blob(domain, id, false));
  if (bytes === null) throw notFound(domain, `${domain} has no shard ${id}`);
  return bytes;
};

export const listGenerations: Handler<"listGenerations"> = async (call) => {
  const { domain } = call.params;
  const paging = readPaging(call.request, wholeNumber);
  const { after } = paging;
  const lines = unwrap(await registryOf(call, domain).generations(domain, oneMore(paging)));
  if (lines === null) throw notFound(domain);
  const older = lines.filter(({ generation }) => after === null || generation < after);
  const { page, next } = pageOf(older, paging, ({ generation }) => generation);
  return { domain, generations: page, next };
};

export const changeMode: Handler<"changeMode"> = async (call) => {
  const { params, body, caller } = call;
  const changed = registryOf(call, params.domain).setMode(params.domain, body, caller.id, reachOf(caller));
  return newHead(call, params.domain, await changed);
};

export const rollbackDomain: Handler<"rollbackDomain"> = async (call) => {
  const { params, body, caller } = call;
  return newHead(
    call,
    params.domain,
    await registryOf(call, params.domain).rollback(params.domain, body, caller.id, reachOf(caller)),
  );
};

export const planRollback: Handler<"planRollback"> = async (call) => {
  const { params, caller } = call;
  const planned = registryOf(call, params.domain).planRollback(
    params.domain,
    numberIn(call, "to"),
    reachOf(caller),
  );
  return unwrap(await planned);
};

export const deleteDomain: Handler<"deleteDomain"> = async (call) => {
  const { params, caller } = call;
  const removed = registryOf(call, params.domain).remove(params.domain, expectIn(call), caller.id);
  return newHead(call, params.domain, await removed);
};

export const releaseBrake: Handler<"releaseBrake"> = async (call) => {
  const { params, caller } = call;
  const released = registryOf(call, params.domain).release(
    params.domain,
    expectIn(call),
    caller.id,
    reachOf(caller),
  );
  return newHead(call, params.domain, await released);
};

/** The head that a change was planned against. @throws HttpError `bad_request` */
const expectIn = (call: RouteCall): number => numberIn(call, "expect");

/** A number of a query. @throws HttpError `bad_request` */
function numberIn({ request }: RouteCall, name: string): number {
  const number = wholeNumber(new URL(request.url).searchParams.get(name) ?? "");
  if (number === null) throw badRequest(`${name} must be a whole number`);
  return number;
}

/** A whole number of a query, or null. */
const wholeNumber = (text: string): number | null => (/^\d{1,15}$/.test(text) ? Number(text) : null);

function newHead({ deployment }: RouteCall, domain: string, result: Result<Changed<HeadResult>>): HeadResult {
  const changed = unwrap(result);
  // What changed nothing leaves the head as it is, and the log may have moved on since.
  const heads = { [domain]: changed.result.generation };
  return acknowledge(deployment, deployment.reader.partitionOf(domain), heads, changed);
}

/**
 * The isolate that passed a change on discards its confirmation before it acknowledges, so that the next check in it
 * sees the change.
 */
export function acknowledge<T>(
  deployment: Deployment,
  partition: number,
  heads: Readonly<Record<string, number>>,
  changed: Changed<T>,
): T {
  deployment.reader.noteChange(partition, changed, heads);
  return changed.result;
}

/** The domain's head. @throws HttpError `not_found` */
export async function headOf(call: RouteCall, domain: string): Promise<ManifestRecord> {
  const bytes = unwrap(await registryOf(call, domain).head(domain));
  if (bytes === null) throw notFound(domain);
  return readManifest(bytes, domain);
}

const SHORT_TTL = 30;

async function kvAgainst(call: RouteCall, head: ManifestRecord): Promise<DomainDescription["kv"]> {
  const { deployment, context } = call;
  let bytes: Uint8Array | null;
  try {
    bytes = await context.kv.get(manifestKey(head.domain), SHORT_TTL);
  } catch {
    return { state: "unreadable", generation: null };
  }
  if (bytes === null) return { state: "missing", generation: null };
  try {
    const { generation, incarnation } = openManifest(bytes, head.domain, deployment.keyFor);
    if (incarnation > head.incarnation) return { state: "conflict", generation };
    if (incarnation < head.incarnation || generation < head.generation)
      return { state: "behind", generation };
    // A newer commit may have been copied since the head was read.
    const isAhead = generation > head.generation && generation > (await headOf(call, head.domain)).generation;
    return { state: isAhead ? "ahead" : "equal", generation };
  } catch (error) {
    const isOther = error instanceof DirectoryError && error.fault === "key-mismatch";
    return { state: isOther ? "other-key" : "damaged", generation: null };
  }
}

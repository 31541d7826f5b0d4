import {
  type DomainDescription,
  type DomainSummary,
  type KvState,
  MAX_SHARD_BODY,
  MAX_SMALL_BODY,
} from "../../api/contract.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  DirectoryError,
  isContentId,
  type ManifestRecord,
  manifestKey,
  openManifest,
  readManifest,
  toBase64Url,
} from "../../directory/index.ts";
import type { Changed, HeadSummary } from "../../registry/protocol.ts";
import { summaryOf } from "../../registry/records.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError, json, octets, readBody } from "../http.ts";
import { oneMore, pageOf, readPaging } from "./paging.ts";
import {
  type Route,
  type RouteCall,
  readBodyObject,
  readNoBody,
  readNote,
  readNumber,
  unwrap,
} from "./route.ts";

const DOMAIN = "/v1/domains/:domain";

export const listDomains: Route = {
  method: "GET",
  path: "/v1/domains",
  roles: ["check", "publish", "replica"],
  bound: "none",
  summary: "List the domains that are served, of those that the token covers, by name",
  paged: "domain",
  answer: "DomainList",
  errors: [],
  async handle({ request, deployment, bindings, caller }) {
    const paging = readPaging(request, (after) => (after === "" ? null : after));
    const { after, limit, isWhole } = paging;
    const names = caller.domains === null ? null : [...caller.domains];
    let heads: HeadSummary[] = [];
    for (let partition = 0; partition < deployment.settings.partitions; partition++) {
      const own = names?.filter((name) => deployment.reader.partitionOf(name) === partition);
      if (own?.length === 0) continue;
      const registry = bindings.registry(partition);
      const more = await (own === undefined ? registry.domains(oneMore(paging)) : registry.domainsNamed(own));
      // A Registry of an earlier release knows of no pages and lists everything.
      heads.push(...unwrap(more).filter(({ domain }) => after === null || domain > after));
      if (isWhole && heads.length > limit) break;
      heads = heads.sort((a, b) => (a.domain < b.domain ? -1 : 1)).slice(0, limit + 1);
    }
    const { page, next } = pageOf(heads, paging, ({ domain }) => domain);
    return json({ domains: page.map((head) => seenFromHere(deployment, head)), next });
  },
};

/** A head with what only the edge can say of it. */
function seenFromHere(deployment: Deployment, head: HeadSummary): DomainSummary {
  const { domain, time, epoch, key_id } = head;
  return {
    ...head,
    age: Math.max(0, Math.floor((deployment.now() - time) / 1000)),
    key_fits: deployment.keyFor(domain, epoch).id === key_id,
  };
}

export const showDomain: Route = {
  method: "GET",
  path: DOMAIN,
  roles: ["publish"],
  bound: "path",
  summary: "Show a domain's head, and how KV stands against it",
  answer: "DomainDescription",
  errors: ["not_found"],
  async handle(call) {
    const manifest = await headOf(call);
    return json(await describe(call, manifest));
  },
};

export const domainKey: Route = {
  method: "GET",
  path: `${DOMAIN}/key`,
  roles: ["publish", "replica"],
  bound: "path",
  summary: "Get a domain's key, whether the domain exists or not",
  answer: "DomainKeyBody",
  errors: [],
  async handle(call) {
    const { deployment } = call;
    const domain = domainOf(call);
    const result = await call.bindings.registry(deployment.reader.partitionOf(domain)).head(domain);
    // Before the first commit of a deployment there is no Registry, and every domain is at its first epoch.
    const isBefore = !result.ok && result.error.code === "uninitialised";
    const bytes = isBefore ? null : unwrap(result);
    const epoch = bytes === null ? 1 : readManifest(bytes, domain).epoch;
    const key = deployment.keyFor(domain, epoch);
    return json({
      domain,
      epoch,
      key: toBase64Url(key.secret),
      key_id: key.id,
      canonicaliser: CANONICALISER_VERSION,
      partition: deployment.reader.partitionOf(domain),
    });
  },
};

export const domainManifest: Route = {
  method: "GET",
  path: `${DOMAIN}/manifest`,
  roles: ["publish", "replica"],
  bound: "path",
  summary: "Get the bytes of a domain's newest manifest",
  answer: "octets",
  errors: ["not_found"],
  async handle(call) {
    return octets((await headOf(call)).bytes);
  },
};

export const putShard: Route = {
  method: "PUT",
  path: `${DOMAIN}/shards/:id`,
  roles: ["publish"],
  bound: "path",
  summary: "Put a shard for a commit to come",
  body: "octets",
  answer: "Done",
  errors: ["bad_request", "timeout", "too_large", "conflict"],
  async handle(call) {
    const { request, deployment, bindings } = call;
    const domain = domainOf(call);
    const bytes = await readBody(request, MAX_SHARD_BODY, deployment.ports.timers);
    unwrap(
      await bindings.registry(deployment.reader.partitionOf(domain)).putShard(domain, contentId(call), bytes),
    );
    return json({ done: true });
  },
};

export const getShard: Route = {
  method: "GET",
  path: `${DOMAIN}/shards/:id`,
  roles: ["publish", "replica"],
  bound: "path",
  summary: "Get the bytes of a shard, or of departures",
  answer: "octets",
  errors: ["bad_request", "not_found"],
  async handle(call) {
    const { deployment, bindings } = call;
    const domain = domainOf(call);
    const id = contentId(call);
    const bytes = unwrap(
      await bindings.registry(deployment.reader.partitionOf(domain)).blob(domain, id, false),
    );
    if (bytes === null) throw new HttpError("not_found", `${domain} has no shard ${id}`, { domain });
    return octets(bytes);
  },
};

export const listGenerations: Route = {
  method: "GET",
  path: `${DOMAIN}/generations`,
  roles: ["publish"],
  bound: "path",
  summary: "List a domain's history, newest first",
  paged: "generation",
  answer: "GenerationList",
  errors: ["not_found"],
  async handle(call) {
    const { request, deployment, bindings } = call;
    const domain = domainOf(call);
    const paging = readPaging(request, (after) => (/^\d{1,15}$/.test(after) ? Number(after) : null));
    const { after } = paging;
    const registry = bindings.registry(deployment.reader.partitionOf(domain));
    const lines = unwrap(await registry.generations(domain, oneMore(paging)));
    if (lines === null) throw new HttpError("not_found", `${domain} was never published`, { domain });
    const older = lines.filter(({ generation }) => after === null || generation < after);
    const { page, next } = pageOf(older, paging, ({ generation }) => generation);
    return json({ domain, generations: page, next });
  },
};

export const rollbackDomain: Route = {
  method: "POST",
  path: `${DOMAIN}/rollback`,
  roles: ["publish"],
  bound: "path",
  summary: "Make an old generation's content the head again, under a new number",
  body: "RollbackRequest",
  answer: "HeadResult",
  errors: ["bad_request", "not_found", "conflict", "timeout", "too_large", "unsupported_media_type"],
  async handle(call) {
    const { deployment, bindings, caller } = call;
    const domain = domainOf(call);
    const body = await readBodyObject(call, MAX_SMALL_BODY, ["to", "expect", "note"]);
    const note = readNote(body.note);
    const rollback = {
      to: readNumber(body.to, "to"),
      expect: readNumber(body.expect, "expect"),
      ...(note === undefined ? {} : { note }),
    };
    const partition = deployment.reader.partitionOf(domain);
    const changed = unwrap(await bindings.registry(partition).rollback(domain, rollback, caller.id));
    return json(acknowledge(deployment, partition, { [domain]: changed.number }, changed));
  },
};

export const deleteDomain: Route = {
  method: "DELETE",
  path: DOMAIN,
  roles: [],
  bound: "path",
  summary: "Delete a domain: deferred for a day, then not served. `?expect=` names its head",
  query: ["expect"],
  answer: "HeadResult",
  errors: ["bad_request", "not_found", "conflict", "timeout", "too_large"],
  async handle(call) {
    const { deployment, bindings, caller, request } = call;
    await readNoBody(call);
    const domain = domainOf(call);
    const given = new URL(request.url).searchParams.get("expect") ?? "";
    const expect = readNumber(/^\d{1,15}$/.test(given) ? Number(given) : null, "expect");
    const partition = deployment.reader.partitionOf(domain);
    const changed = unwrap(await bindings.registry(partition).remove(domain, expect, caller.id));
    return json(acknowledge(deployment, partition, { [domain]: changed.number }, changed));
  },
};

/**
 * The deployment through which a change passed forgets its confirmation before it acknowledges, so that the next
 * check through it knows of the change.
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

const domainOf = ({ params }: RouteCall): string => params.domain as string;

function contentId({ params }: RouteCall): string {
  const id = params.id ?? "";
  if (!isContentId(id)) throw new HttpError("bad_request", "a shard is named by its SHA-256 in hexadecimal");
  return id;
}

async function headOf(call: RouteCall): Promise<ManifestRecord> {
  const { deployment, bindings } = call;
  const domain = domainOf(call);
  const bytes = unwrap(await bindings.registry(deployment.reader.partitionOf(domain)).head(domain));
  if (bytes === null) throw new HttpError("not_found", `${domain} was never published`, { domain });
  return readManifest(bytes, domain);
}

async function describe(call: RouteCall, manifest: ManifestRecord): Promise<DomainDescription> {
  const { shards, canonicaliser, policy, departures, origin } = manifest;
  const table =
    shards.inline === null
      ? { bits: shards.bits, ids: blobIds(shards) }
      : { bits: 0 as const, inline: toBase64Url(shards.inline) };
  return {
    ...seenFromHere(call.deployment, summaryOf(manifest)),
    origin,
    partition: call.deployment.reader.partitionOf(manifest.domain),
    policy,
    canonicaliser,
    shards: table,
    departures: departures.count,
    kv: await kvAgainst(call, manifest),
  };
}

const SHORT_TTL = 30;

async function kvAgainst(
  { deployment, context }: RouteCall,
  head: ManifestRecord,
): Promise<{ state: KvState; generation: number | null }> {
  let bytes: Uint8Array | null;
  try {
    bytes = await context.kv.get(manifestKey(head.domain), SHORT_TTL);
  } catch {
    return { state: "unreadable", generation: null };
  }
  if (bytes === null) return { state: "missing", generation: null };
  try {
    const { origin, generation, incarnation } = openManifest(bytes, head.domain, deployment.keyFor);
    if (origin === "kv" || incarnation > head.incarnation) return { state: "conflict", generation };
    const isEqual = incarnation === head.incarnation && generation >= head.generation;
    return { state: isEqual ? "equal" : "behind", generation };
  } catch (error) {
    const isOther = error instanceof DirectoryError && error.fault === "key-mismatch";
    return { state: isOther ? "other-key" : "damaged", generation: null };
  }
}

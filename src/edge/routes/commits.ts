import {
  type CommitRequest,
  type DomainCommit,
  MAX_COMMIT_BODY,
  MAX_COMMIT_DOMAINS,
  type ShardTable,
} from "../../api/contract.ts";
import { DirectoryError, type DomainPolicy, readPolicy } from "../../directory/index.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError, json } from "../http.ts";
import { acknowledge } from "./domains.ts";
import {
  type Route,
  readBodyObject,
  readDomain,
  readNote,
  readNumber,
  readObject,
  readTexts,
  requireDomain,
  unwrap,
} from "./route.ts";

export const postCommit: Route = {
  method: "POST",
  path: "/v1/commits",
  roles: ["publish"],
  bound: "body",
  summary: "Commit new lists and settings of one or many domains, all or nothing",
  body: "CommitRequest",
  answer: "CommitResult",
  errors: [
    "bad_request",
    "conflict",
    "missing_shards",
    "guard",
    "timeout",
    "too_large",
    "unsupported_media_type",
  ],
  async handle(call) {
    const { deployment, bindings, caller } = call;
    const commit = readCommit(await readBodyObject(call, MAX_COMMIT_BODY, COMMIT_MEMBERS));
    const domains = commit.domains.map(({ domain }) => domain);
    for (const { domain, policy } of commit.domains) {
      requireDomain(caller, domain);
      // Whoever checks an alias is told of its target's list.
      if (policy?.alias != null) requireDomain(caller, policy.alias);
    }
    const partition = onePartition(deployment, domains, "commit");
    const changed = unwrap(await bindings.registry(partition).commit(commit, caller.id));
    return json(acknowledge(deployment, partition, changed.result.generations, changed));
  },
};

const COMMIT_MEMBERS = ["domains", "force", "note"];
const DOMAIN_MEMBERS = [
  "domain",
  "expect",
  "epoch",
  "key_id",
  "canonicaliser",
  "sentinels",
  "policy",
  "mode",
  "shards",
];

/** @throws HttpError `bad_request`, saying where */
function readCommit({ domains, force, note }: Record<string, unknown>): CommitRequest {
  if (force !== undefined && typeof force !== "boolean") {
    throw new HttpError("bad_request", "force must be true or false");
  }
  const commits = readCommitDomains(domains, readDomainCommit);
  const text = readNote(note);
  return {
    domains: commits,
    ...(force === undefined ? {} : { force }),
    ...(text === undefined ? {} : { note: text }),
  };
}

/**
 * The domains of a commit or plan, each read by `read`, which is told where it stands.
 * @throws HttpError `bad_request`
 */
export function readCommitDomains<T extends { readonly domain: string }>(
  value: unknown,
  read: (value: unknown, at: string) => T,
): readonly T[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_COMMIT_DOMAINS) {
    throw new HttpError("bad_request", `domains must be a list of 1 to ${MAX_COMMIT_DOMAINS}`);
  }
  const domains = value.map((each, i) => read(each, `domains[${i}]`));
  if (new Set(domains.map(({ domain }) => domain)).size < domains.length) {
    throw new HttpError("bad_request", "domains names a domain twice");
  }
  return domains;
}

/** The partition that all of these domains live in. @throws HttpError `bad_request` where they live in several */
export function onePartition(deployment: Deployment, domains: readonly string[], what: string): number {
  const partitions = new Set(domains.map((domain) => deployment.reader.partitionOf(domain)));
  const [partition] = partitions;
  if (partition === undefined || partitions.size > 1) {
    throw new HttpError("bad_request", `the domains of one ${what} must live in one partition`);
  }
  return partition;
}

function readDomainCommit(value: unknown, at: string): DomainCommit {
  const it = readObject(value, at, DOMAIN_MEMBERS);
  const { mode } = it;
  if (mode !== undefined && mode !== "enforce" && mode !== "observe") {
    throw new HttpError("bad_request", `${at}.mode must be enforce or observe`);
  }
  if (typeof it.key_id !== "string") throw new HttpError("bad_request", `${at}.key_id must be text`);
  return {
    domain: readDomain(it.domain),
    expect: it.expect === null ? null : readNumber(it.expect, `${at}.expect`),
    epoch: readNumber(it.epoch, `${at}.epoch`),
    key_id: it.key_id,
    canonicaliser: readNumber(it.canonicaliser, `${at}.canonicaliser`),
    sentinels: readTexts(it.sentinels, `${at}.sentinels`),
    ...(it.policy === undefined ? {} : { policy: readSettings(it.policy, at) }),
    ...(mode === undefined ? {} : { mode }),
    shards: readShards(it.shards, `${at}.shards`),
  };
}

export function readSettings(value: unknown, at: string): Partial<DomainPolicy> {
  try {
    return readPolicy(value);
  } catch (error) {
    throw error instanceof DirectoryError ? new HttpError("bad_request", `${at}: ${error.message}`) : error;
  }
}

function readShards(value: unknown, at: string): ShardTable {
  const isInline = Object.hasOwn(readObject(value, at), "inline");
  const { bits, ids, inline } = readObject(value, at, isInline ? ["bits", "inline"] : ["bits", "ids"]);
  if (!isInline) return { bits: readNumber(bits, `${at}.bits`), ids: readTexts(ids, `${at}.ids`) };
  if (typeof inline !== "string") throw new HttpError("bad_request", `${at}.inline must be text`);
  if (bits !== undefined && bits !== 0) {
    throw new HttpError("bad_request", `${at}.bits must be 0 beside an inline shard`);
  }
  return { bits: 0, inline };
}

/** A request for every documented answer of a route, and one for each of its errors. */
import {
  type DomainCommit,
  MAX_CHANGES_BODY,
  MAX_CHECK_BODY,
  MAX_COMMIT_BODY,
  MAX_HOOK_BODY,
  MAX_PLAN_BODY,
  MAX_SMALL_BODY,
  type PlannedDomain,
  type PlannedNames,
} from "../../../src/api/index.ts";
import type { CallOptions } from "./edge.ts";

export interface Provocation {
  readonly path: string;
  readonly options?: CallOptions;
  readonly status: number;
  /** `error.code`; omitted if the body is an answer. */
  readonly code?: string;
}

const restored = "/v1/registry/restored";
const verify = "/v1/registry/verify";

/** What the provocations need to exist. */
export interface World {
  /** A domain with a small list, one with shards of their own, and one to delete. */
  readonly small: string;
  readonly large: string;
  readonly doomed: string;
  /** One for single changes. */
  readonly patched: string;
  /** One whose leavers the brake holds. */
  readonly braked: string;
  /** A domain that is only planned for. */
  readonly planned: Pick<PlannedDomain, "domain" | "expect" | "key_id">;
  /** Heads of the three. */
  readonly heads: Readonly<Record<string, number>>;
  /** A shard of the large one. */
  readonly shard: { readonly id: string; readonly bytes: Uint8Array };
  /** Commits for the small one: one that succeeds, one whose shards were never put, one that loses too many. */
  readonly growing: DomainCommit;
  readonly lacking: DomainCommit;
  readonly losing: DomainCommit;
  /** The Registry's. */
  readonly incarnation: number;
  /** Id of a token to revoke. */
  readonly tokenId: string;
}

const NO_ID = "0".repeat(64);
const ok = (path: string, options: CallOptions = {}): Provocation => ({ path, options, status: 200 });
const fails = (status: number, code: string, path: string, options: CallOptions = {}): Provocation => ({
  path,
  options,
  status,
  code,
});

/** How a route without a body answers to a body. */
const anyBody = (path: string, method: string): Provocation[] => [
  fails(400, "bad_request", path, { method, json: { surprise: 1 } }),
  fails(413, "too_large", path, {
    method,
    body: "{}",
    headers: { "Content-Type": "application/json", "Content-Length": String(MAX_SMALL_BODY + 1) },
  }),
];

/** How every route that reads JSON answers to bodies that are not JSON, of another type, or too long. */
const badBodies = (path: string, limit: number): Provocation[] => [
  fails(400, "bad_request", path, { body: "{", headers: { "Content-Type": "application/json" } }),
  fails(415, "unsupported_media_type", path, { body: "a=b", headers: { "Content-Type": "text/html" } }),
  fails(413, "too_large", path, {
    body: "{}",
    headers: { "Content-Type": "application/json", "Content-Length": String(limit + 1) },
  }),
];

export function provocations(world: World): Readonly<Record<string, readonly Provocation[]>> {
  const { small, large, doomed, heads, shard } = world;
  const own = `/v1/domains/${small}`;
  const nowhere = "/v1/domains/nowhere.example";
  const patch = (json: object) => ({ method: "PATCH", json });
  const local = Array.from({ length: 15 }, (_, i) => `m${i}`);
  const patched = `/v1/domains/${world.patched}/mailboxes`;
  const text = { headers: { "Content-Type": "text/plain" } };
  const commit = (each: DomainCommit) => ({ json: { domains: [each] } });
  const hook = (stage: string, ...to: string[]) => ({
    json: { context: { stage }, envelope: { to: to.map((address) => ({ address })) } },
  });
  const changes = (members: object) => ({ json: { partition: 0, since: null, nonce: "n-1", ...members } });
  const plan = (names: PlannedNames, change: Partial<PlannedDomain> = {}) => ({
    json: {
      domains: [
        {
          ...world.planned,
          canonicaliser: world.growing.canonicaliser,
          accepted: 1,
          names,
          ...change,
        },
      ],
    },
  });
  return {
    "POST /v1/rcpt": [
      ok("/v1/rcpt", { json: { recipient: `alice@${small}`, client: "192.0.2.1", sender: "" } }),
      ok("/v1/rcpt", { json: { recipient: `nobody@${large}`, floor: { [large]: 1 } } }),
      ok("/v1/rcpt", { json: { recipients: [`alice@${small}`, "x@nowhere.example", "postmaster", "no"] } }),
      ok("/v1/rcpt", { json: [`dora@${small}`, `fred@${small}`, `mary@${small}`] }),
      ok("/v1/rcpt", { ...text, body: `alice@${small}\n` }),
      {
        path: "/v1/rcpt",
        options: { json: { recipient: `a@${small}`, floor: { [small]: 1e9 } } },
        status: 503,
      },
      ...badBodies("/v1/rcpt", MAX_CHECK_BODY),
      fails(400, "bad_request", "/v1/rcpt", { json: { recipients: [1] } }),
      fails(413, "too_large", "/v1/rcpt", { json: Array.from({ length: 1_001 }, () => "a@b.example") }),
    ],
    "GET /v1/rcpt/{address}": [
      ok(`/v1/rcpt/alice%40${small}`),
      ok(`/v1/rcpt/alice%40${small}`, { headers: { Accept: "text/plain" } }),
      fails(400, "bad_request", "/v1/rcpt/%ff%40x.example"),
    ],
    "POST /v1/hooks/mta": [
      ok("/v1/hooks/mta", hook("rcpt", `x@${large}`, `alice@${small}`)),
      ok("/v1/hooks/mta", hook("rcpt", `nobody@${small}`)),
      ok("/v1/hooks/mta", { json: { context: { stage: "connect" } } }),
      ok("/v1/hooks/mta", { body: "{" }),
      ok("/v1/hooks/mta", { body: "{}", headers: { "Content-Length": String(MAX_HOOK_BODY + 1) } }),
      ok("/v1/hooks/mta", { json: { stage: "rcpt", envelope: { to: [{ address: `nobody@${small}` }] } } }),
      ok("/v1/hooks/mta", { json: { stage: "rcpt", envelope: { to: [{ address: `alice@${small}` }] } } }),
    ],
    "GET /.well-known/mta-hooks": [ok("/.well-known/mta-hooks")],
    "POST /v1/hooks/registrations": [
      {
        path: "/v1/hooks/registrations",
        options: { json: { serialization: "json", inbound: { stages: ["rcpt"], properties: null } } },
        status: 201,
      },
      fails(400, "bad_request", "/v1/hooks/registrations", { json: { serialization: "cbor", inbound: {} } }),
      ...badBodies("/v1/hooks/registrations", MAX_SMALL_BODY),
    ],
    "GET /v1/hooks/registrations/{id}": [
      ok("/v1/hooks/registrations/admin"),
      fails(404, "not_found", `/v1/hooks/registrations/${NO_ID}`),
    ],
    "DELETE /v1/hooks/registrations/{id}": [
      ok("/v1/hooks/registrations/admin", { method: "DELETE" }),
      fails(404, "not_found", `/v1/hooks/registrations/${NO_ID}`, { method: "DELETE" }),
      ...anyBody("/v1/hooks/registrations/admin", "DELETE"),
    ],
    "POST /v1/changes": [
      ok("/v1/changes", changes({})),
      ok("/v1/changes", changes({ since: { incarnation: 1, number: 2 }, after: null })),
      ok("/v1/changes", changes({ after: 1, counts: [[small, "enforce", "unknown", 3]] })),
      fails(400, "bad_request", "/v1/changes", changes({ partition: 1 })),
      fails(400, "bad_request", "/v1/changes", changes({ nonce: "" })),
      fails(400, "bad_request", "/v1/changes", changes({ surprise: 1 })),
      ...badBodies("/v1/changes", MAX_CHANGES_BODY),
    ],
    "GET /healthz": [ok("/healthz")],
    "GET /v1/openapi.json": [ok("/v1/openapi.json")],
    "GET /v1/domains": [ok("/v1/domains")],
    "GET /v1/domains/{domain}": [
      ok(own),
      ok(`/v1/domains/${large}`),
      fails(404, "not_found", nowhere),
      fails(400, "bad_request", "/v1/domains/not%20a%20domain"),
    ],
    "DELETE /v1/domains/{domain}": [
      fails(400, "bad_request", `/v1/domains/${doomed}`, { method: "DELETE" }),
      fails(409, "conflict", `/v1/domains/${doomed}?expect=999`, { method: "DELETE" }),
      fails(404, "not_found", `${nowhere}?expect=1`, { method: "DELETE" }),
      ...anyBody(`/v1/domains/${doomed}?expect=${heads[doomed]}`, "DELETE"),
      ok(`/v1/domains/${doomed}?expect=${heads[doomed]}`, { method: "DELETE" }),
    ],
    "GET /v1/domains/{domain}/key": [
      ok(`${own}/key`),
      ok(`${nowhere}/key`),
      ok(`${own}/key?epoch=1`),
      fails(404, "not_found", `${own}/key?epoch=9`),
      fails(400, "bad_request", `${own}/key?epoch=0`),
      fails(400, "bad_request", "/v1/domains/[192.0.2.1]/key"),
    ],
    "POST /v1/domains/{domain}/key": [
      ok(`${own}/key`, { method: "POST" }),
      fails(404, "not_found", `${nowhere}/key`, { method: "POST" }),
      fails(400, "bad_request", "/v1/domains/a%2fb/key", { method: "POST" }),
      ...anyBody(`${own}/key`, "POST"),
    ],
    "GET /v1/domains/{domain}/manifest": [
      ok(`${own}/manifest`),
      fails(404, "not_found", `${nowhere}/manifest`),
      fails(400, "bad_request", "/v1/domains/%00/manifest"),
    ],
    "PUT /v1/domains/{domain}/shards/{id}": [
      ok(`/v1/domains/${large}/shards/${shard.id}`, { method: "PUT", body: shard.bytes }),
      fails(400, "bad_request", `${own}/shards/${NO_ID}`, { method: "PUT", body: shard.bytes }),
      fails(400, "bad_request", `${own}/shards/x`, { method: "PUT", body: shard.bytes }),
      fails(413, "too_large", `${own}/shards/${NO_ID}`, {
        method: "PUT",
        body: new Uint8Array(1024 * 1024 + 1),
      }),
    ],
    "GET /v1/domains/{domain}/shards/{id}": [
      ok(`/v1/domains/${large}/shards/${shard.id}`),
      fails(404, "not_found", `/v1/domains/${large}/shards/${NO_ID}`),
      fails(400, "bad_request", `/v1/domains/${large}/shards/${NO_ID}0`),
    ],
    "GET /v1/domains/{domain}/generations": [
      ok(`${own}/generations`),
      ok(`/v1/domains/${doomed}/generations`),
      fails(404, "not_found", `${nowhere}/generations`),
      fails(400, "bad_request", "/v1/domains/a%2fb/generations"),
    ],
    "POST /v1/commits": [
      fails(409, "missing_shards", "/v1/commits", commit(world.lacking)),
      fails(422, "guard", "/v1/commits", commit(world.losing)),
      fails(400, "bad_request", "/v1/commits", commit({ ...world.growing, key_id: "?" })),
      ok("/v1/commits", commit(world.growing)),
      fails(409, "conflict", "/v1/commits", commit({ ...world.growing, expect: 999 })),
      ...badBodies("/v1/commits", MAX_COMMIT_BODY),
    ],
    "POST /v1/plans": [
      ok("/v1/plans", plan({ gone: "", back: "AAAAAAAB" })),
      ok("/v1/plans", plan({ accepted: "AAAAAAABAAAAAAAC" })),
      fails(409, "conflict", "/v1/plans", plan({ gone: "", back: "" }, { expect: 999 })),
      fails(400, "bad_request", "/v1/plans", plan({ gone: "AAAA", back: "" })),
      fails(400, "bad_request", "/v1/plans", plan({ gone: "?", back: "" })),
      fails(400, "bad_request", "/v1/plans", { json: { domains: [] } }),
      ...badBodies("/v1/plans", MAX_PLAN_BODY),
    ],
    "PATCH /v1/domains/{domain}/mailboxes": [
      ok(patched, patch({ set: [{ recipient: `new@${world.patched}`, state: "full" }] })),
      ok(patched, patch({ remove: [`new@${world.patched}`], now: true, force: true })),
      ok(patched, {
        ...patch({ set: [{ recipient: `alice@${world.patched}`, state: "active" }] }),
        headers: { "Idempotency-Key": "k-1" },
      }),
      fails(400, "bad_request", patched, patch({})),
      fails(400, "bad_request", patched, patch({ remove: ["alice@elsewhere.example"] })),
      fails(400, "bad_request", patched, {
        ...patch({ remove: [`alice@${world.patched}`] }),
        headers: { "Idempotency-Key": "two words" },
      }),
      fails(
        409,
        "not_listed",
        patched,
        patch({ set: [{ recipient: `typo@${world.patched}`, state: "full", listed: true }] }),
      ),
      fails(
        409,
        "already_listed",
        patched,
        patch({ set: [{ recipient: `alice@${world.patched}`, state: "full", listed: false }] }),
      ),
      fails(404, "not_found", `${nowhere}/mailboxes`, patch({ remove: ["x@nowhere.example"] })),
      fails(422, "guard", patched, patch({ remove: local.map((name) => `${name}@${world.patched}`) })),
      ...badBodies(patched, MAX_CHECK_BODY).map((it) => ({
        ...it,
        options: { ...it.options, method: "PATCH" },
      })),
    ],
    "PATCH /v1/domains/{domain}/mode": [
      ok(`/v1/domains/${world.braked}/mode`, {
        method: "PATCH",
        json: { mode: "enforce", note: "as it is" },
      }),
      fails(404, "not_found", `${nowhere}/mode`, { method: "PATCH", json: { mode: "observe" } }),
      fails(409, "conflict", `${own}/mode`, { method: "PATCH", json: { mode: "observe", expect: 999 } }),
      fails(400, "bad_request", `${own}/mode`, { method: "PATCH", json: { mode: "quiet" } }),
      ...badBodies(`${own}/mode`, MAX_SMALL_BODY).map((it) => ({
        ...it,
        options: { ...it.options, method: "PATCH" },
      })),
    ],
    "POST /v1/domains/{domain}/rollback": [
      ok(`/v1/domains/${large}/rollback`, {
        json: { to: heads[large], expect: heads[large], note: "again" },
      }),
      fails(404, "not_found", `${nowhere}/rollback`, { json: { to: 1, expect: 1 } }),
      fails(409, "conflict", `/v1/domains/${large}/rollback`, { json: { to: 1, expect: 999 } }),
      ...badBodies(`${own}/rollback`, MAX_SMALL_BODY),
    ],
    "GET /v1/domains/{domain}/rollback": [
      ok(`/v1/domains/${large}/rollback?to=${heads[large]}`),
      fails(400, "bad_request", `/v1/domains/${large}/rollback`),
      fails(400, "bad_request", `/v1/domains/${large}/rollback?to=x`),
      fails(404, "not_found", `${nowhere}/rollback?to=1`),
    ],
    "DELETE /v1/domains/{domain}/brake": [
      fails(400, "bad_request", `/v1/domains/${world.braked}/brake`, { method: "DELETE" }),
      fails(409, "conflict", `/v1/domains/${world.braked}/brake?expect=999`, { method: "DELETE" }),
      fails(404, "not_found", `${own}/brake?expect=1`, { method: "DELETE" }),
      ...anyBody(`/v1/domains/${world.braked}/brake?expect=${heads[world.braked]}`, "DELETE"),
      ok(`/v1/domains/${world.braked}/brake?expect=${heads[world.braked]}`, { method: "DELETE" }),
    ],
    "POST /v1/tokens": [
      ok("/v1/tokens", { json: { role: "check", domains: [small] } }),
      ok("/v1/tokens", { json: { role: "check", domains: null, expires_in: null } }),
      ok("/v1/tokens", { json: { role: "publish", domains: [small], expires_in: 60, note: "for a while" } }),
      ok("/v1/tokens", { json: { role: "replica", domains: null } }),
      fails(400, "bad_request", "/v1/tokens", { json: { role: "admin", domains: null } }),
      fails(400, "bad_request", "/v1/tokens", { json: { role: "check" } }),
      fails(400, "bad_request", "/v1/tokens", { json: { role: "publish", domains: null } }),
      ...badBodies("/v1/tokens", MAX_SMALL_BODY),
    ],
    "GET /v1/tokens": [ok("/v1/tokens")],
    "DELETE /v1/tokens/{id}": [
      ok(`/v1/tokens/${world.tokenId}`, { method: "DELETE" }),
      fails(404, "not_found", "/v1/tokens/ffffffffffffffff", { method: "DELETE" }),
      fails(400, "bad_request", "/v1/tokens/x", { method: "DELETE" }),
      ...anyBody("/v1/tokens/ffffffffffffffff", "DELETE"),
    ],
    "GET /v1/registry": [ok("/v1/registry")],
    "POST /v1/registry": [ok("/v1/registry", { method: "POST" }), ...anyBody("/v1/registry", "POST")],
    "POST /v1/registry/restored": [
      ok(restored, { json: { partition: 0, expect: world.incarnation } }),
      fails(409, "conflict", restored, { json: { partition: 0, expect: 1 } }),
      fails(400, "bad_request", restored, { json: { partition: 9, expect: 1 } }),
      ...badBodies(restored, MAX_SMALL_BODY),
    ],
    "POST /v1/registry/verify": [
      ok(verify, { json: { partition: 0 } }),
      ok(verify, { json: { partition: 0, after: `${large} 1` } }),
      fails(400, "bad_request", verify, { json: { partition: 9 } }),
      ...badBodies(verify, MAX_SMALL_BODY),
    ],
    "GET /v1/status": [ok("/v1/status")],
    "GET /v1/audit": [ok("/v1/audit")],
  };
}

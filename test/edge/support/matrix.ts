/** Who may do what, written out from the role table of the design, and a harmless request for each route. */
import { DIALECTS, hookAnswer, type Role } from "../../../src/api/index.ts";
import { unavailable } from "../../../src/directory/index.ts";
import type { CallOptions } from "./edge.ts";

/** A number that no head ever has: a request with it is authorised and changes nothing. */
const NEVER = 999_999_999;
const NO_ID = "0".repeat(64);

export interface Right {
  readonly roles: readonly Role[] | "anyone";
  /** What the domains of a token bound: the domain that the request is about, its recipients, or nothing. */
  readonly bound: "domain" | "recipients" | "none";
  readonly request: (domain: string) => { readonly path: string; readonly options?: CallOptions };
  /** Status if the caller is authorised and the domain is served. */
  readonly admitted: number;
  /** The whole answer, with status 200, if the token does not cover the recipient; left out: a verdict with 503. */
  readonly deferral?: (domain: string) => unknown;
  /** The same if the domain is not served, unless it is equal. */
  readonly nowhere?: number;
}

const get = (path: string) => ({ path });
const ofDomain = (suffix: string) => (domain: string) => get(`/v1/domains/${domain}${suffix}`);
const admin = { roles: ["admin"], bound: "none" } as const;
const publisher = { roles: ["publish", "admin"], bound: "domain" } as const;
const follower = { roles: ["publish", "replica", "admin"], bound: "domain" } as const;
const registrar = { roles: ["check", "replica", "admin"], bound: "none" } as const;
const check = { roles: ["check", "replica", "admin"], bound: "recipients", admitted: 200 } as const;

/** Every route of the edge by method and path. */
export const RIGHTS: Readonly<Record<string, Right>> = {
  "POST /v1/changes": {
    roles: ["replica", "admin"],
    bound: "none",
    request: () => ({
      path: "/v1/changes",
      options: { json: { partition: 0, since: null, nonce: "n" } },
    }),
    admitted: 200,
  },
  "GET /healthz": { roles: "anyone", bound: "none", request: () => get("/healthz"), admitted: 200 },
  "GET /v1/openapi.json": {
    roles: "anyone",
    bound: "none",
    request: () => get("/v1/openapi.json"),
    admitted: 200,
  },
  "POST /v1/rcpt": {
    ...check,
    request: (domain) => ({ path: "/v1/rcpt", options: { json: { recipient: `alice@${domain}` } } }),
  },
  "GET /v1/rcpt/:address": { ...check, request: (domain) => get(`/v1/rcpt/alice%40${domain}`) },
  "POST /v1/hooks/mta": {
    ...check,
    deferral: (domain) => hookAnswer(DIALECTS.stalwart, unavailable(`alice@${domain}`, "")),
    request: (domain) => ({
      path: "/v1/hooks/mta",
      options: { json: { context: { stage: "rcpt" }, envelope: { to: [{ address: `alice@${domain}` }] } } },
    }),
  },
  "GET /.well-known/mta-hooks": {
    roles: "anyone",
    bound: "none",
    request: () => get("/.well-known/mta-hooks"),
    admitted: 200,
  },
  "POST /v1/hooks/registrations": {
    ...registrar,
    request: () => ({
      path: "/v1/hooks/registrations",
      options: { json: { serialization: "json", inbound: { stages: ["rcpt"] } } },
    }),
    admitted: 201,
  },
  "GET /v1/hooks/registrations/:id": {
    ...registrar,
    request: () => get(`/v1/hooks/registrations/${NO_ID}`),
    admitted: 404,
  },
  "DELETE /v1/hooks/registrations/:id": {
    ...registrar,
    request: () => ({ path: `/v1/hooks/registrations/${NO_ID}`, options: { method: "DELETE" } }),
    admitted: 404,
  },
  "GET /v1/domains": {
    roles: ["check", "publish", "replica", "admin"],
    bound: "none",
    request: () => get("/v1/domains"),
    admitted: 200,
  },
  "GET /v1/domains/:domain": { ...publisher, request: ofDomain(""), admitted: 200, nowhere: 404 },
  "DELETE /v1/domains/:domain": {
    ...admin,
    request: (domain) => ({
      path: `/v1/domains/${domain}?expect=${NEVER}`,
      options: { method: "DELETE" },
    }),
    admitted: 409,
    nowhere: 404,
  },
  "GET /v1/domains/:domain/key": { ...follower, request: ofDomain("/key"), admitted: 200 },
  "POST /v1/domains/:domain/key": {
    ...publisher,
    request: (domain) => ({ path: `/v1/domains/${domain}/key`, options: { method: "POST" } }),
    admitted: 200,
    nowhere: 404,
  },
  "GET /v1/domains/:domain/manifest": {
    ...follower,
    request: ofDomain("/manifest"),
    admitted: 200,
    nowhere: 404,
  },
  "PUT /v1/domains/:domain/shards/:id": {
    ...publisher,
    request: (domain) => ({
      path: `/v1/domains/${domain}/shards/${NO_ID}`,
      options: { method: "PUT", body: new Uint8Array(9) },
    }),
    admitted: 400,
  },
  "GET /v1/domains/:domain/shards/:id": { ...follower, request: ofDomain(`/shards/${NO_ID}`), admitted: 404 },
  "GET /v1/domains/:domain/generations": {
    ...publisher,
    request: ofDomain("/generations"),
    admitted: 200,
    nowhere: 404,
  },
  "PATCH /v1/domains/:domain/mailboxes": {
    ...publisher,
    request: (domain) => ({
      path: `/v1/domains/${domain}/mailboxes`,
      options: { method: "PATCH", json: { set: [{ recipient: "x@elsewhere.example", state: "active" }] } },
    }),
    admitted: 400,
    nowhere: 404,
  },
  "PATCH /v1/domains/:domain/mode": {
    ...publisher,
    request: (domain) => ({
      path: `/v1/domains/${domain}/mode`,
      options: { method: "PATCH", json: { mode: "observe", expect: NEVER } },
    }),
    admitted: 409,
    nowhere: 404,
  },
  "POST /v1/domains/:domain/rollback": {
    ...publisher,
    request: (domain) => ({
      path: `/v1/domains/${domain}/rollback`,
      options: { json: { to: NEVER, expect: NEVER } },
    }),
    admitted: 409,
    nowhere: 404,
  },
  "GET /v1/domains/:domain/rollback": {
    ...publisher,
    request: ofDomain(`/rollback?to=${NEVER}`),
    admitted: 404,
    nowhere: 404,
  },
  "DELETE /v1/domains/:domain/brake": {
    ...publisher,
    request: (domain) => ({
      path: `/v1/domains/${domain}/brake?expect=${NEVER}`,
      options: { method: "DELETE" },
    }),
    admitted: 404,
    nowhere: 404,
  },
  "POST /v1/commits": {
    ...publisher,
    request: (domain) => ({ path: "/v1/commits", options: { json: { domains: [stillborn(domain)] } } }),
    admitted: 409,
  },
  "POST /v1/plans": {
    ...publisher,
    request: (domain) => ({
      path: "/v1/plans",
      options: {
        json: {
          domains: [
            {
              domain,
              expect: NEVER,
              key_id: "",
              canonicaliser: 1,
              accepted: 0,
              names: { gone: "", back: "" },
            },
          ],
        },
      },
    }),
    admitted: 409,
  },
  "POST /v1/tokens": {
    ...admin,
    request: (domain) => ({
      path: "/v1/tokens",
      options: { json: { role: "check", domains: [domain], expires_in: 60 } },
    }),
    admitted: 200,
  },
  "GET /v1/tokens": { ...admin, request: () => get("/v1/tokens"), admitted: 200 },
  "DELETE /v1/tokens/:id": {
    ...admin,
    request: () => ({ path: "/v1/tokens/ffffffffffffffff", options: { method: "DELETE" } }),
    admitted: 404,
  },
  "GET /v1/registry": { ...admin, request: () => get("/v1/registry"), admitted: 200 },
  "POST /v1/registry": {
    ...admin,
    request: () => ({ path: "/v1/registry", options: { method: "POST" } }),
    admitted: 200,
  },
  "POST /v1/registry/restored": {
    ...admin,
    request: () => ({ path: "/v1/registry/restored", options: { json: { partition: 0, expect: 1 } } }),
    admitted: 409,
  },
  "POST /v1/registry/verify": {
    ...admin,
    request: () => ({ path: "/v1/registry/verify", options: { json: { partition: 0 } } }),
    admitted: 200,
  },
  "GET /v1/status": { ...admin, request: () => get("/v1/status"), admitted: 200 },
  "GET /v1/audit": { ...admin, request: () => get("/v1/audit"), admitted: 200 },
};

/** A commit that is parsed, and then refused for the head that it names. */
const stillborn = (domain: string) => ({
  domain,
  expect: NEVER,
  epoch: 1,
  key_id: "",
  canonicaliser: 1,
  sentinels: [],
  shards: { bits: 0, ids: [NO_ID] },
});

/** Every route of the HTTP API. The router, the access rules and the OpenAPI document are made from this table. */
import { changesRequest } from "./changes.ts";
import { checkRequest } from "./checks.ts";
import {
  commitRequest,
  contentId,
  domainName,
  modeRequest,
  planRequest,
  rollbackRequest,
} from "./commits.ts";
import { HOOK_PATH, REGISTRATION_PATH, registrationRequest } from "./hook-registration.ts";
import { hookRequest } from "./hooks.ts";
import {
  MAX_CHANGES_BODY,
  MAX_CHECK_BODY,
  MAX_COMMIT_BODY,
  MAX_HOOK_BODY,
  MAX_PLAN_BODY,
  MAX_SHARD_BODY,
  MAX_SMALL_BODY,
} from "./limits.ts";
import { idempotencyKey, mailboxesRequest } from "./mailboxes.ts";
import { restoredRequest } from "./restored.ts";
import { type Infer, type Schema, text } from "./schema.ts";
import { type TokenRole, tokenId, tokenRequest } from "./tokens.ts";
import { verifyRequest } from "./verify.ts";

/** One route: how it is reached, who may use it, and what it takes. What it answers is in answers/table.ts. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Parameters begin with a colon. */
  readonly path: string;
  readonly params?: Readonly<Record<string, Schema<string>>>;
  /** Roles that may use it beside admin, who may use everything. `anyone` needs no token. */
  readonly roles?: readonly TokenRole[] | "anyone";
  /**
   * How a token's domains bound it: by the domain in the path, by the domains in the body, or by the recipients of the
   * check, each of which then gets `unavailable`.
   */
  readonly bound?: "path" | "body" | "recipients";
  /** Left out: it takes none. */
  readonly body?: { readonly schema: Schema | "bytes"; readonly limit: number };
  /** Whether the handler's own question to the Registry says that the token was revoked, or nothing hangs on it. */
  readonly asksWhetherRevoked?: true;
  /** Names of query parameters that are required, each a whole number. */
  readonly query?: readonly string[];
  /** The same for those that may be left out. */
  readonly optionalQuery?: readonly string[];
  /** Headers that may be sent beside those of every request. */
  readonly headers?: Readonly<Record<string, Schema<string>>>;
  /** If the answer comes in pages: what `next` is. Query parameters `after` and `limit`. */
  readonly paged?: "domain" | "generation" | "text";
  /** Query parameters that may be left out, of which lines are wanted. */
  readonly filters?: Readonly<Record<string, Schema<string>>>;
}

const domain = { domain: domainName };

export const ROUTES = {
  postRcpt: {
    method: "POST",
    path: "/v1/rcpt",
    roles: ["check", "replica"],
    bound: "recipients",
    body: { schema: checkRequest, limit: MAX_CHECK_BODY },
  },
  getRcpt: {
    method: "GET",
    path: "/v1/rcpt/:address",
    params: { address: text },
    roles: ["check", "replica"],
    bound: "recipients",
  },
  postHook: {
    method: "POST",
    path: HOOK_PATH,
    roles: ["check", "replica"],
    bound: "recipients",
    body: { schema: hookRequest, limit: MAX_HOOK_BODY },
  },
  discoverHooks: {
    method: "GET",
    path: "/.well-known/mta-hooks",
    roles: "anyone",
  },
  registerHooks: {
    method: "POST",
    path: REGISTRATION_PATH,
    roles: ["check", "replica"],
    asksWhetherRevoked: true,
    body: { schema: registrationRequest, limit: MAX_SMALL_BODY },
  },
  showHookRegistration: {
    method: "GET",
    path: `${REGISTRATION_PATH}/:id`,
    params: { id: text },
    roles: ["check", "replica"],
    asksWhetherRevoked: true,
  },
  deregisterHooks: {
    method: "DELETE",
    path: `${REGISTRATION_PATH}/:id`,
    params: { id: text },
    roles: ["check", "replica"],
    asksWhetherRevoked: true,
  },
  postChanges: {
    method: "POST",
    path: "/v1/changes",
    roles: ["replica"],
    asksWhetherRevoked: true,
    body: { schema: changesRequest, limit: MAX_CHANGES_BODY },
  },
  showHealth: {
    method: "GET",
    path: "/healthz",
    roles: "anyone",
  },
  showOpenApi: {
    method: "GET",
    path: "/v1/openapi.json",
    roles: "anyone",
  },
  listDomains: {
    method: "GET",
    path: "/v1/domains",
    roles: ["check", "publish", "replica"],
    paged: "domain",
  },
  showDomain: {
    method: "GET",
    path: "/v1/domains/:domain",
    params: domain,
    roles: ["publish"],
    bound: "path",
  },
  deleteDomain: {
    method: "DELETE",
    path: "/v1/domains/:domain",
    params: domain,
    bound: "path",
    query: ["expect"],
  },
  domainKey: {
    method: "GET",
    path: "/v1/domains/:domain/key",
    params: domain,
    roles: ["publish", "replica"],
    bound: "path",
    optionalQuery: ["epoch"],
  },
  nextKey: {
    method: "POST",
    path: "/v1/domains/:domain/key",
    params: domain,
    roles: ["publish"],
    bound: "path",
  },
  domainManifest: {
    method: "GET",
    path: "/v1/domains/:domain/manifest",
    params: domain,
    roles: ["publish", "replica"],
    bound: "path",
  },
  putShard: {
    method: "PUT",
    path: "/v1/domains/:domain/shards/:id",
    params: { ...domain, id: contentId },
    roles: ["publish"],
    bound: "path",
    body: { schema: "bytes", limit: MAX_SHARD_BODY },
  },
  getShard: {
    method: "GET",
    path: "/v1/domains/:domain/shards/:id",
    params: { ...domain, id: contentId },
    roles: ["publish", "replica"],
    bound: "path",
  },
  listGenerations: {
    method: "GET",
    path: "/v1/domains/:domain/generations",
    params: domain,
    roles: ["publish"],
    bound: "path",
    paged: "generation",
  },
  patchMailboxes: {
    method: "PATCH",
    path: "/v1/domains/:domain/mailboxes",
    params: domain,
    headers: { "Idempotency-Key": idempotencyKey },
    roles: ["publish"],
    bound: "path",
    body: { schema: mailboxesRequest, limit: MAX_CHECK_BODY },
  },
  changeMode: {
    method: "PATCH",
    path: "/v1/domains/:domain/mode",
    params: domain,
    roles: ["publish"],
    bound: "path",
    body: { schema: modeRequest, limit: MAX_SMALL_BODY },
  },
  rollbackDomain: {
    method: "POST",
    path: "/v1/domains/:domain/rollback",
    params: domain,
    roles: ["publish"],
    bound: "path",
    body: { schema: rollbackRequest, limit: MAX_SMALL_BODY },
  },
  planRollback: {
    method: "GET",
    path: "/v1/domains/:domain/rollback",
    params: domain,
    roles: ["publish"],
    bound: "path",
    query: ["to"],
  },
  releaseBrake: {
    method: "DELETE",
    path: "/v1/domains/:domain/brake",
    params: domain,
    roles: ["publish"],
    bound: "path",
    query: ["expect"],
  },
  postCommit: {
    method: "POST",
    path: "/v1/commits",
    roles: ["publish"],
    bound: "body",
    body: { schema: commitRequest, limit: MAX_COMMIT_BODY },
  },
  postPlan: {
    method: "POST",
    path: "/v1/plans",
    roles: ["publish"],
    bound: "body",
    body: { schema: planRequest, limit: MAX_PLAN_BODY },
  },
  createToken: {
    method: "POST",
    path: "/v1/tokens",
    body: { schema: tokenRequest, limit: MAX_SMALL_BODY },
  },
  listTokens: {
    method: "GET",
    path: "/v1/tokens",
    paged: "text",
    filters: domain,
  },
  revokeToken: {
    method: "DELETE",
    path: "/v1/tokens/:id",
    params: { id: tokenId },
  },
  showRegistry: {
    method: "GET",
    path: "/v1/registry",
  },
  initialiseRegistry: {
    method: "POST",
    path: "/v1/registry",
  },
  continueRegistry: {
    method: "POST",
    path: "/v1/registry/restored",
    body: { schema: restoredRequest, limit: MAX_SMALL_BODY },
  },
  verifyRegistry: {
    method: "POST",
    path: "/v1/registry/verify",
    body: { schema: verifyRequest, limit: MAX_SMALL_BODY },
  },
  showStatus: {
    method: "GET",
    path: "/v1/status",
  },
  showAudit: {
    method: "GET",
    path: "/v1/audit",
    paged: "text",
    filters: { ...domain, token: text, action: text },
  },
} as const satisfies Readonly<Record<string, Route>>;

export const EVERY_ROUTE: readonly Route[] = Object.values(ROUTES);

export type RouteName = keyof typeof ROUTES;
type RouteOf<N extends RouteName> = (typeof ROUTES)[N];

/** What a route takes, as it is read. */
export type BodyOf<N extends RouteName> =
  RouteOf<N> extends { readonly body: { readonly schema: infer S } }
    ? S extends Schema
      ? Infer<S>
      : Uint8Array
    : undefined;
export type ParamsOf<N extends RouteName> =
  RouteOf<N> extends { readonly params: infer P } ? { readonly [K in keyof P]: string } : unknown;

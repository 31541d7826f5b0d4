/** Every route of the HTTP API. The router, the access rules and the OpenAPI document are made from this table. */
import { changesAnswer, changesRequest } from "./changes.ts";
import { answer, checkAnswer, checkRequest } from "./checks.ts";
import {
  commitRequest,
  commitResult,
  contentId,
  domainName,
  headResult,
  planRequest,
  planResult,
  rollbackRequest,
} from "./commits.ts";
import { domainDescription, domainKeyBody, domainList, generationList } from "./domains.ts";
import { done, type ErrorCode } from "./errors.ts";
import {
  MAX_CHANGES_BODY,
  MAX_CHECK_BODY,
  MAX_COMMIT_BODY,
  MAX_PLAN_BODY,
  MAX_SHARD_BODY,
  MAX_SMALL_BODY,
} from "./limits.ts";
import { type Infer, kind, named, type Schema, text } from "./schema.ts";
import { auditList, edgeStatus, health, registryStatus } from "./status.ts";
import { type TokenRole, tokenCreated, tokenId, tokenList, tokenRecord, tokenRequest } from "./tokens.ts";

/** One route: how it is reached, who may use it, what it takes and answers. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
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
  readonly summary: string;
  /** Left out: it takes none. */
  readonly body?: { readonly schema: Schema | "bytes"; readonly limit: number };
  readonly answer: Schema | "bytes";
  /** Beside those that follow from the body and the token. */
  readonly errors?: readonly ErrorCode[];
  /** Whether the answer itself may come with 503: one verdict of `unavailable`, or the health of a bad configuration. */
  readonly answersWith503?: true;
  /** Whether the handler's own question to the Registry says that the token was revoked. */
  readonly asksWhetherRevoked?: true;
  /** Names of query parameters that are required, each a whole number. */
  readonly query?: readonly string[];
  /** The same for those that may be left out. */
  readonly optionalQuery?: readonly string[];
  /** Where the answer comes in pages: what identifies a line. Query parameters `after` and `limit`. */
  readonly paged?: "domain" | "generation";
}

const domain = { domain: domainName };
const openApi = named(
  "OpenApi",
  kind<object>((value) => typeof value === "object", "must be an object", { type: "object" }),
);

export const ROUTES = {
  postRcpt: {
    method: "POST",
    path: "/v1/rcpt",
    roles: ["check", "replica"],
    bound: "recipients",
    summary: "Check recipients",
    body: { schema: checkRequest, limit: MAX_CHECK_BODY },
    answer: checkAnswer,
    answersWith503: true,
  },
  getRcpt: {
    method: "GET",
    path: "/v1/rcpt/:address",
    params: { address: text },
    roles: ["check", "replica"],
    bound: "recipients",
    summary: "Check one recipient",
    answer,
    answersWith503: true,
  },
  postChanges: {
    method: "POST",
    path: "/v1/changes",
    roles: ["replica"],
    asksWhetherRevoked: true,
    summary: "Ask the Registry of a partition which heads that the token covers changed since a position",
    body: { schema: changesRequest, limit: MAX_CHANGES_BODY },
    answer: changesAnswer,
  },
  showHealth: {
    method: "GET",
    path: "/healthz",
    roles: "anyone",
    summary: "Tell whether this deployment is configured",
    answer: health,
    answersWith503: true,
  },
  showOpenApi: {
    method: "GET",
    path: "/v1/openapi.json",
    roles: "anyone",
    summary: "Describe this API",
    answer: openApi,
    errors: ["unconfigured"],
  },
  listDomains: {
    method: "GET",
    path: "/v1/domains",
    roles: ["check", "publish", "replica"],
    summary: "List the domains that are served and that the token covers, by name",
    paged: "domain",
    answer: domainList,
  },
  showDomain: {
    method: "GET",
    path: "/v1/domains/:domain",
    params: domain,
    roles: ["publish"],
    bound: "path",
    summary: "Show a domain's head, and how KV compares with it",
    answer: domainDescription,
    errors: ["not_found"],
  },
  deleteDomain: {
    method: "DELETE",
    path: "/v1/domains/:domain",
    params: domain,
    bound: "path",
    summary: "Delete a domain: deferred for a day, then not served. `?expect=` is the number of its head",
    query: ["expect"],
    answer: headResult,
    errors: ["not_found", "conflict"],
  },
  domainKey: {
    method: "GET",
    path: "/v1/domains/:domain/key",
    params: domain,
    roles: ["publish", "replica"],
    bound: "path",
    summary:
      "Get a domain's key, whether the domain exists or not; `?epoch=` asks for that of an earlier epoch",
    optionalQuery: ["epoch"],
    answer: domainKeyBody,
    errors: ["not_found"],
  },
  domainManifest: {
    method: "GET",
    path: "/v1/domains/:domain/manifest",
    params: domain,
    roles: ["publish", "replica"],
    bound: "path",
    summary: "Get the bytes of a domain's newest manifest",
    answer: "bytes",
    errors: ["not_found"],
  },
  putShard: {
    method: "PUT",
    path: "/v1/domains/:domain/shards/:id",
    params: { ...domain, id: contentId },
    roles: ["publish"],
    bound: "path",
    summary: "Upload a shard for a commit to come",
    body: { schema: "bytes", limit: MAX_SHARD_BODY },
    answer: done,
    errors: ["conflict"],
  },
  getShard: {
    method: "GET",
    path: "/v1/domains/:domain/shards/:id",
    params: { ...domain, id: contentId },
    roles: ["publish", "replica"],
    bound: "path",
    summary: "Get the bytes of a shard, or of departures",
    answer: "bytes",
    errors: ["not_found"],
  },
  listGenerations: {
    method: "GET",
    path: "/v1/domains/:domain/generations",
    params: domain,
    roles: ["publish"],
    bound: "path",
    summary: "List a domain's history, newest first",
    paged: "generation",
    answer: generationList,
    errors: ["not_found"],
  },
  rollbackDomain: {
    method: "POST",
    path: "/v1/domains/:domain/rollback",
    params: domain,
    roles: ["publish"],
    bound: "path",
    summary: "Make an old generation's content the head again, under a new number",
    body: { schema: rollbackRequest, limit: MAX_SMALL_BODY },
    answer: headResult,
    errors: ["not_found", "conflict"],
  },
  postCommit: {
    method: "POST",
    path: "/v1/commits",
    roles: ["publish"],
    bound: "body",
    summary: "Commit new lists and settings of one or many domains, all or nothing",
    body: { schema: commitRequest, limit: MAX_COMMIT_BODY },
    answer: commitResult,
    errors: ["conflict", "missing_shards", "guard"],
  },
  postPlan: {
    method: "POST",
    path: "/v1/plans",
    roles: ["publish"],
    bound: "body",
    summary: "Ask what the guard would say to a commit; nothing is changed",
    body: { schema: planRequest, limit: MAX_PLAN_BODY },
    answer: planResult,
    errors: ["conflict"],
  },
  createToken: {
    method: "POST",
    path: "/v1/tokens",
    summary: "Create a token",
    body: { schema: tokenRequest, limit: MAX_SMALL_BODY },
    answer: tokenCreated,
    errors: ["conflict"],
  },
  listTokens: {
    method: "GET",
    path: "/v1/tokens",
    summary: "List the tokens that were issued",
    answer: tokenList,
  },
  revokeToken: {
    method: "DELETE",
    path: "/v1/tokens/:id",
    params: { id: tokenId },
    summary: "Revoke a token",
    answer: tokenRecord,
    errors: ["not_found"],
  },
  showRegistry: {
    method: "GET",
    path: "/v1/registry",
    summary: "Show the state of the Registries",
    answer: registryStatus,
  },
  initialiseRegistry: {
    method: "POST",
    path: "/v1/registry",
    summary: "Initialise the Registries before the first commit; harmless afterwards",
    answer: registryStatus,
    errors: ["conflict"],
  },
  showStatus: {
    method: "GET",
    path: "/v1/status",
    summary: "Show what was answered and what went wrong in the last hour and day",
    answer: edgeStatus,
  },
  showAudit: {
    method: "GET",
    path: "/v1/audit",
    summary: "Show the newest lines of the audit trail",
    answer: auditList,
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
export type AnswerOf<N extends RouteName> = RouteOf<N>["answer"] extends infer S
  ? S extends Schema
    ? Infer<S>
    : Uint8Array
  : never;

/** Errors that a route ends in by itself: its own, and those of reading its body. */
export function errorsOf({ method, body, errors = [] }: Route): ErrorCode[] {
  if (method === "GET") return [...errors];
  const isJson = body !== undefined && body.schema !== "bytes";
  return [
    "bad_request",
    "timeout",
    "too_large",
    ...(isJson ? (["unsupported_media_type"] as const) : []),
    ...errors,
  ];
}

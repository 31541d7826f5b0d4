/**
 * What each route answers. Clients read answers by this table, and the OpenAPI document is made from it and ROUTES. The
 * Worker checks only what it is sent, so it bundles none of this folder.
 */
import type { ErrorCode } from "../errors.ts";
import { ROUTES, type Route, type RouteName } from "../routes.ts";
import { type Infer, kind, named, type Schema } from "../schema.ts";
import { changesAnswer } from "./changes.ts";
import { answer, checkAnswer } from "./checks.ts";
import { commitResult, headResult, patchResult, planResult } from "./commits.ts";
import { domainDescription, domainKeyBody, domainList, generationList, rollbackPlan } from "./domains.ts";
import { done } from "./errors.ts";
import { hookAnswer, hookDeregistration, hookDiscovery, hookRegistration } from "./hooks.ts";
import { auditList, edgeStatus, health, registryStatus, restoredResult, verifyResult } from "./status.ts";
import { tokenCreated, tokenList, tokenRecord } from "./tokens.ts";

export interface RouteAnswer {
  readonly summary: string;
  readonly answer: Schema | "bytes";
  /** Of the answer; 200 if left out. */
  readonly status?: 201;
  /** Beside those that follow from the body and the token. */
  readonly errors?: readonly ErrorCode[];
  /** Whether the answer itself may come with 503: one verdict of `unavailable`, or the health of a bad configuration. */
  readonly answersWith503?: true;
  /** Whether a fault of the body is answered by a deferral with status 200, in JSON whatever the client accepts. */
  readonly defersFaults?: true;
}

const openApi = named(
  "OpenApi",
  kind<object>((value) => typeof value === "object", "must be an object", { type: "object" }),
);

export const ANSWERS = {
  postRcpt: {
    summary: "Check recipients",
    answer: checkAnswer,
    answersWith503: true,
  },
  getRcpt: {
    summary: "Check one recipient",
    answer,
    answersWith503: true,
  },
  postHook: {
    summary:
      "Check the recipient of an MTA hook, as Stalwart or a client of draft-degennaro-mta-hooks sends it",
    answer: hookAnswer,
    defersFaults: true,
  },
  discoverHooks: {
    summary: "Tell mail servers how to register for MTA Hooks",
    answer: hookDiscovery,
    errors: ["unconfigured"],
  },
  registerHooks: {
    summary: "Register a mail server for MTA Hooks. Nothing is stored",
    answer: hookRegistration,
    status: 201,
  },
  showHookRegistration: {
    summary: "Show the registration for MTA Hooks of the token",
    answer: hookRegistration,
    errors: ["not_found"],
  },
  deregisterHooks: {
    summary: "End the registration for MTA Hooks of the token. Nothing is stored",
    answer: hookDeregistration,
    errors: ["not_found"],
  },
  postChanges: {
    summary: "Ask the Registry of a partition which heads that the token covers changed since a position",
    answer: changesAnswer,
  },
  showHealth: {
    summary: "Tell whether this deployment is configured",
    answer: health,
    answersWith503: true,
  },
  showOpenApi: {
    summary: "Describe this API",
    answer: openApi,
    errors: ["not_found", "unconfigured"],
  },
  listDomains: {
    summary: "List the domains that are served and that the token covers, by name",
    answer: domainList,
  },
  showDomain: {
    summary: "Show a domain's head, and how KV compares with it",
    answer: domainDescription,
    errors: ["not_found"],
  },
  deleteDomain: {
    summary: "Delete a domain: deferred for a day, then not served. `?expect=` is the number of its head",
    answer: headResult,
    errors: ["not_found", "conflict"],
  },
  domainKey: {
    summary:
      "Get a domain's key, whether the domain exists or not; `?epoch=` asks for that of an earlier epoch",
    answer: domainKeyBody,
    errors: ["not_found"],
  },
  nextKey: {
    summary: "Get a later key, which no other token is given, to publish a domain's list under it",
    answer: domainKeyBody,
    errors: ["not_found"],
  },
  domainManifest: {
    summary: "Get the bytes of a domain's newest manifest",
    answer: "bytes",
    errors: ["not_found"],
  },
  putShard: {
    summary: "Upload a shard for a commit to come",
    answer: done,
    errors: ["conflict", "storage_full"],
  },
  getShard: {
    summary: "Get the bytes of a shard, or of departures",
    answer: "bytes",
    errors: ["not_found"],
  },
  listGenerations: {
    summary: "List a domain's history, newest first",
    answer: generationList,
    errors: ["not_found"],
  },
  patchMailboxes: {
    summary:
      "Add, remove, disable or enable single mailboxes of a list. The header Idempotency-Key makes a request harmless to repeat",
    answer: patchResult,
    errors: [
      "not_found",
      "conflict",
      "not_listed",
      "already_listed",
      "repack_needed",
      "guard",
      "storage_full",
    ],
  },
  changeMode: {
    summary: "Change a domain's mode, and nothing else. The mode that it has already makes no generation",
    answer: headResult,
    errors: ["not_found", "conflict"],
  },
  rollbackDomain: {
    summary:
      "Make an old generation's content the head again, under a new number, with the single changes that were open then",
    answer: headResult,
    errors: ["not_found", "conflict", "patched_names"],
  },
  planRollback: {
    summary:
      "Show what becomes of single changes if a generation's list is the head again. `?to=` is its number. Changes nothing",
    answer: rollbackPlan,
    errors: ["not_found"],
  },
  releaseBrake: {
    summary:
      "Refuse the names that the brake holds, since they left. `?expect=` is the number of the domain's head",
    answer: headResult,
    errors: ["not_found", "conflict"],
  },
  postCommit: {
    summary: "Commit new lists and settings of one or many domains, all or nothing",
    answer: commitResult,
    errors: ["conflict", "missing_shards", "patched_names", "guard", "storage_full"],
  },
  postPlan: {
    summary: "Ask what the guard would say to a commit; nothing is changed",
    answer: planResult,
    errors: ["conflict"],
  },
  createToken: {
    summary: "Create a token",
    answer: tokenCreated,
    errors: ["conflict"],
  },
  listTokens: {
    summary: "List the tokens that were issued",
    answer: tokenList,
  },
  revokeToken: {
    summary: "Revoke a token",
    answer: tokenRecord,
    errors: ["not_found"],
  },
  showRegistry: {
    summary: "Show the state of the Registries",
    answer: registryStatus,
  },
  initialiseRegistry: {
    summary: "Initialise the Registries before the first commit; harmless afterwards",
    answer: registryStatus,
    errors: ["conflict"],
  },
  continueRegistry: {
    summary:
      "Continue the log of a paused Registry under a higher incarnation, after its storage was restored to an earlier time",
    answer: restoredResult,
    errors: ["conflict"],
  },
  verifyRegistry: {
    summary: "Verify the next heads of a partition and their blobs against their MACs and ids",
    answer: verifyResult,
  },
  showStatus: {
    summary: "Show what was answered and what went wrong in the last hour and day",
    answer: edgeStatus,
  },
  showAudit: {
    summary: "Show the audit trail, newest lines first; of a domain, by or about a token, of an action",
    answer: auditList,
  },
} as const satisfies Readonly<Record<RouteName, RouteAnswer>>;

export type AnswerOf<N extends RouteName> = (typeof ANSWERS)[N]["answer"] extends infer S
  ? S extends Schema
    ? Infer<S>
    : Uint8Array
  : never;

/** A route with what it answers. */
export type DescribedRoute = Route & RouteAnswer;

export const EVERY_DESCRIBED_ROUTE: readonly DescribedRoute[] = (Object.keys(ROUTES) as RouteName[]).map(
  (name) => ({ ...ROUTES[name], ...ANSWERS[name] }),
);

/** Errors that a route ends in by itself: its own, and those of reading its body. */
export function errorsOf({ method, body, errors = [], defersFaults }: DescribedRoute): ErrorCode[] {
  if (method === "GET" || defersFaults) return [...errors];
  const isJson = body !== undefined && body.schema !== "bytes";
  return [
    "bad_request",
    "timeout",
    "too_large",
    ...(isJson ? (["unsupported_media_type"] as const) : []),
    ...errors,
  ];
}

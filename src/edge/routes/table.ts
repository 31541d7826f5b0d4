import { json } from "../http.ts";
import { postCommit } from "./commits.ts";
import {
  deleteDomain,
  domainKey,
  domainManifest,
  getShard,
  listDomains,
  listGenerations,
  putShard,
  rollbackDomain,
  showDomain,
} from "./domains.ts";
import { describeRoutes } from "./openapi.ts";
import { getRcpt, postRcpt } from "./rcpt.ts";
import { initialiseRegistry, showAudit, showRegistry } from "./registry.ts";
import type { Route } from "./route.ts";
import { createToken, listTokens, revokeToken } from "./tokens.ts";

const showHealth: Route = {
  method: "GET",
  path: "/healthz",
  roles: "anyone",
  bound: "none",
  summary: "Tell whether this deployment is configured",
  answer: "Health",
  errors: [],
  // Answered before anything else is looked at; see serve.ts.
  handle: async () => json({}),
};

const showOpenApi: Route = {
  method: "GET",
  path: "/v1/openapi.json",
  roles: "anyone",
  bound: "none",
  summary: "Describe this API",
  answer: "OpenApi",
  errors: [],
  handle: async () => json(describeRoutes(ROUTES)),
};

/** Every route there is. The router, the access matrix and the API's description are made from this table. */
export const ROUTES: readonly Route[] = [
  postRcpt,
  getRcpt,
  showHealth,
  showOpenApi,
  listDomains,
  showDomain,
  deleteDomain,
  domainKey,
  domainManifest,
  putShard,
  getShard,
  listGenerations,
  rollbackDomain,
  postCommit,
  createToken,
  listTokens,
  revokeToken,
  showRegistry,
  initialiseRegistry,
  showAudit,
];

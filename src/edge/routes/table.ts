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
import { showHealth } from "./health.ts";
import { describeRoutes } from "./openapi.ts";
import { postPlan } from "./plans.ts";
import { getRcpt, postRcpt } from "./rcpt.ts";
import { initialiseRegistry, showAudit, showRegistry, showStatus } from "./registry.ts";
import type { Route } from "./route.ts";
import { createToken, listTokens, revokeToken } from "./tokens.ts";

const showOpenApi: Route = {
  method: "GET",
  path: "/v1/openapi.json",
  roles: "anyone",
  bound: "none",
  summary: "Describe this API",
  answer: "OpenApi",
  errors: ["unconfigured"],
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
  postPlan,
  createToken,
  listTokens,
  revokeToken,
  showRegistry,
  initialiseRegistry,
  showStatus,
  showAudit,
];

/** The handler of each route, and how a request reaches it. */
import { type ParamsOf, ROUTES, type Route, type RouteName } from "../../api/index.ts";
import { NOBODY } from "../access.ts";
import { HttpError, json, jsonText, octets } from "../http.ts";
import { showAudit } from "./audit.ts";
import { readParams, readRouteBody } from "./body.ts";
import { postChanges } from "./changes.ts";
import { postCommit, postPlan } from "./commits.ts";
import {
  changeMode,
  deleteDomain,
  domainKey,
  domainManifest,
  getShard,
  listDomains,
  listGenerations,
  nextKey,
  planRollback,
  putShard,
  releaseBrake,
  rollbackDomain,
  showDomain,
} from "./domains.ts";
import { showHealth } from "./health.ts";
import { deregisterHooks, discoverHooks, postHook, registerHooks, showHookRegistration } from "./hooks.ts";
import { patchMailboxes } from "./mailboxes.ts";
import { getRcpt, postRcpt } from "./rcpt.ts";
import {
  continueRegistry,
  initialiseRegistry,
  showRegistry,
  showStatus,
  verifyRegistry,
} from "./registry.ts";
import { type Handler, type HandlerOf, type RouteCall, requireDomain } from "./route.ts";
import { createToken, listTokens, revokeToken } from "./tokens.ts";

/** A file of the deployment: the Worker would need the description of every answer to make it. */
const showOpenApi: Handler<"showOpenApi"> = async ({ context }) => {
  const document = await context.bindings.openApi();
  if (document !== null) return jsonText(document);
  throw new HttpError(
    "not_found",
    "the OpenAPI document was not deployed with this Worker: see [assets] in wrangler.toml",
  );
};

/** A handler for every route, by its name. */
export const HANDLERS: { readonly [N in RouteName]: HandlerOf<N> } = {
  postRcpt,
  getRcpt,
  postHook,
  discoverHooks,
  registerHooks,
  showHookRegistration,
  deregisterHooks,
  postChanges,
  showHealth,
  showOpenApi,
  listDomains,
  showDomain,
  deleteDomain,
  domainKey,
  nextKey,
  domainManifest,
  putShard,
  getShard,
  listGenerations,
  patchMailboxes,
  changeMode,
  rollbackDomain,
  planRollback,
  releaseBrake,
  postCommit,
  postPlan,
  createToken,
  listTokens,
  revokeToken,
  showRegistry,
  initialiseRegistry,
  continueRegistry,
  verifyRegistry,
  showStatus,
  showAudit,
};

/** A handler without the types of its route: the route's schemas have checked parameters and body. */
type AnyHandler = (call: RouteCall & { readonly body: unknown }) => Promise<unknown>;

/**
 * Answers a request that was admitted. A check is answered synchronously if nothing has to be awaited.
 * @param call with the parameters as sent
 * @throws HttpError
 */
export function handle(name: RouteName, call: RouteCall): Response | Promise<Response> {
  if (name === "postRcpt") return postRcpt(call);
  if (name === "postHook") return postHook(call);
  const params = readParams(ROUTES[name], call.params);
  if (name === "getRcpt") return getRcpt({ ...call, params: params as ParamsOf<"getRcpt"> });
  return handleWithBody(ROUTES[name], HANDLERS[name] as AnyHandler, { ...call, params });
}

async function handleWithBody(route: Route, handler: AnyHandler, call: RouteCall): Promise<Response> {
  const { request, params, caller, deployment } = call;
  if (route.bound === "path" && caller !== NOBODY) requireDomain(caller, params.domain as string);
  return deployment.largeBodies.handle(caller.id, route, request, () => answerTo(route, handler, call));
}

async function answerTo(route: Route, handler: AnyHandler, call: RouteCall): Promise<Response> {
  const { request, caller, deployment } = call;
  const body = await readRouteBody(route, request, deployment.ports.timers);
  if (route.bound === "body") {
    const { domains } = body as { readonly domains: readonly { readonly domain: string }[] };
    for (const { domain } of domains) requireDomain(caller, domain);
  }
  const answer = await handler({ ...call, body });
  if (answer instanceof Response) return answer;
  return answer instanceof Uint8Array ? octets(answer) : json(answer);
}

import {
  DRAFT_HEADER,
  HOOK_DISCOVERY,
  type Hook,
  hookAnswer,
  hookDeferral,
  hookDeregistration,
  hookRegistration,
  ROUTES,
  readHook,
  unreadHook,
} from "../../api/index.ts";
import { HttpError, json, readText } from "../http.ts";
import { checkOne } from "./rcpt.ts";
import type { CheckHandler, Handler, RouteCall } from "./route.ts";

/**
 * MTA Hooks. Whatever is wrong with a request that was admitted, it gets a deferral with status 200: a mail server may be
 * set up to accept the recipient on any other status.
 */
export const postHook: CheckHandler<"postHook"> = async (call) => {
  const hook = await readRequest(call);
  switch (hook.kind) {
    case "ask":
      return json(hookAnswer(hook.dialect, await checkOne(call, hook.recipient)));
    case "other":
      return json(hook.dialect());
    case "fault":
      return json(hookDeferral(hook.dialect, hook.why));
  }
};

async function readRequest({ request, deployment }: RouteCall): Promise<Hook> {
  const isDraft = request.headers.has(DRAFT_HEADER);
  try {
    return readHook(await readText(request, ROUTES.postHook.body.limit, deployment.ports.timers), isDraft);
  } catch (error) {
    if (error instanceof HttpError) return unreadHook(error.message, isDraft);
    throw error;
  }
}

export const discoverHooks: Handler<"discoverHooks"> = async () => HOOK_DISCOVERY;

export const registerHooks: Handler<"registerHooks"> = async (call) =>
  json(hookRegistration(call.caller.id, now(call)), 201);

export const showHookRegistration: Handler<"showHookRegistration"> = async (call) =>
  hookRegistration(ownId(call), null);

export const deregisterHooks: Handler<"deregisterHooks"> = async (call) =>
  hookDeregistration(ownId(call), now(call));

const now = ({ deployment }: RouteCall): string => new Date(deployment.now()).toISOString();

/** @throws HttpError `not_found` if a registration is not that of the token */
function ownId({ caller, params }: RouteCall): string {
  if (params.id !== caller.id) throw new HttpError("not_found", "this token has no such registration");
  return caller.id;
}

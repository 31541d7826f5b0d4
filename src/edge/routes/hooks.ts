import {
  HOOK_DISCOVERY,
  type Hook,
  type HookAnswer,
  hookAnswer,
  hookDeferral,
  hookDeregistration,
  hookRegistration,
  JSON_PATCH,
  namedDialect,
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
      return answered(hookAnswer(hook.dialect, await checkOne(call, hook.recipient)));
    case "other":
      return answered(hook.dialect());
    case "fault":
      return answered(hookDeferral(hook.dialect, hook.why));
  }
};

async function readRequest({ request, deployment }: RouteCall): Promise<Hook> {
  const named = namedDialect((name) => request.headers.get(name));
  try {
    return readHook(await readText(request, ROUTES.postHook.body.limit, deployment.ports.timers), named);
  } catch (error) {
    if (error instanceof HttpError) return unreadHook(error.message, named);
    throw error;
  }
}

function answered(answer: HookAnswer): Response {
  const response = json(answer);
  if (Array.isArray(answer)) response.headers.set("Content-Type", JSON_PATCH);
  return response;
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

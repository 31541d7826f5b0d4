import { HOOK_ACCEPT, type Hook, hookAnswer, hookDeferral, ROUTES, readHook } from "../../api/index.ts";
import { HttpError, json, readText } from "../http.ts";
import { checkOne } from "./rcpt.ts";
import { badRequest, type CheckHandler, type RouteCall } from "./route.ts";

/**
 * MTA Hooks. Whatever is wrong with a request that was admitted, a client that can read the answer gets a deferral with
 * status 200: a mail server may be set up to accept the recipient on any other status.
 */
export const postHook: CheckHandler<"postHook"> = async (call) => {
  const hook = await readRequest(call);
  switch (hook.kind) {
    case "ask":
      return json(hookAnswer(await checkOne(call, hook.recipient)));
    case "other":
      return json(HOOK_ACCEPT);
    case "fault":
      return json(hookDeferral(hook.why));
    case "foreign":
      throw badRequest(hook.why);
  }
};

async function readRequest({ request, deployment }: RouteCall): Promise<Hook> {
  try {
    return readHook(await readText(request, ROUTES.postHook.body.limit, deployment.ports.timers));
  } catch (error) {
    if (error instanceof HttpError) return { kind: "fault", why: error.message };
    throw error;
  }
}

import {
  HOOK_DISCOVERY,
  hookDeregistration,
  hookRegistration,
  ROUTES,
  read,
  registrationRequest,
} from "../../api/index.ts";

/** MTA Hooks. They come over HTTP, so Node's own server reads them, and not a parser of ours. */
export const HOOKS = {
  /** Names the setting, the flag, the label in metrics and the page in docs/bridge/. */
  name: "hooks",
  about: "MTA Hooks over HTTP, of Stalwart or of draft-degennaro-mta-hooks",
} as const;

/** The answer to a request that is no hook. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: object;
  /** Methods of the path, if the one of the request is none. */
  readonly allow?: string;
}

/** @param body null if it is too long @param now of the wall clock, in RFC 3339 */
type Answerer = (body: string | null, now: () => string) => HttpAnswer;

/** Every registration is the same: a client that may connect may ask. */
const ID = "bridge";

/** What is answered beside hooks, by path and method. */
const ANSWERERS = new Map<string, Readonly<Record<string, Answerer>>>([
  [ROUTES.discoverHooks.path, { GET: () => ({ status: 200, body: HOOK_DISCOVERY }) }],
  [ROUTES.registerHooks.path, { POST: register }],
  [
    ROUTES.showHookRegistration.path.replace(":id", ID),
    {
      GET: () => ({ status: 200, body: hookRegistration(ID, null) }),
      DELETE: (_, now) => ({ status: 200, body: hookDeregistration(ID, now()) }),
    },
  ],
]);

/** Answers discovery and registration, and whatever else is no hook. */
export function answerOther(
  method: string,
  path: string,
  body: string | null,
  now: () => string,
): HttpAnswer {
  const { path: hooks, method: post } = ROUTES.postHook;
  const methods = ANSWERERS.get(path);
  if (methods === undefined && path !== hooks) return error(404, "not_found", `the path is ${hooks}`);
  const answerer = methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (answerer !== undefined) return answerer(body, now);
  const allow = Object.keys(methods ?? { [post]: true }).join(", ");
  return { ...error(405, "method_not_allowed", `use ${allow}`), allow };
}

function register(body: string | null, now: () => string): HttpAnswer {
  let value: unknown;
  try {
    value = JSON.parse(body ?? "");
  } catch {
    return error(400, "bad_request", "the body is not JSON, or too long");
  }
  const { fault } = read(registrationRequest, value);
  return fault === undefined
    ? { status: 201, body: hookRegistration(ID, now()) }
    : error(400, "bad_request", fault);
}

const error = (status: number, code: string, message: string): HttpAnswer => ({
  status,
  body: { error: { code, message } },
});

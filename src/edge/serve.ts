import type { IRequest, RouteEntry } from "itty-router";
// The package's index would bundle what makes responses, too.
import { IttyRouter } from "itty-router/IttyRouter";
import { ROUTES, type Route, type RouteName } from "../api/index.ts";
import { traceOf } from "../reader/index.ts";
import { Access, type Caller, NOBODY } from "./access.ts";
import { Deployment } from "./deployment.ts";
import type { Settings } from "./environment.ts";
import { errorResponse, HttpError, unauthorized } from "./http.ts";
import type { Ports } from "./ports.ts";
import type { Bindings } from "./request-context.ts";
import { health } from "./routes/health.ts";
import { type RouteCall, unwrap } from "./routes/route.ts";
import { handle } from "./routes/table.ts";

/** The edge of one isolate: answers HTTP requests. */
export class Edge {
  readonly deployment: Deployment;
  readonly #access: Access;
  readonly #router = IttyRouter<IRequest, [Bindings], Response>();

  constructor(settings: Settings, ports: Ports) {
    this.deployment = new Deployment(settings, ports);
    const { reader, tokenMac } = this.deployment;
    this.#access = new Access(ports, settings.adminToken, tokenMac, (id) => reader.isRevoked(id));
    for (const name of Object.keys(ROUTES) as RouteName[]) {
      const { method, path } = ROUTES[name];
      const on = method.toLowerCase() as "get" | "post" | "put" | "patch" | "delete";
      this.#router[on](path, (request, bindings) =>
        this.#serve(name, request as unknown as Request, request.params, bindings, request.url),
      );
    }
    const routes = [...this.#router.routes];
    this.#router.all("*", ({ method, url }) => {
      throw notFound(routes, method, new URL(url).pathname);
    });
  }

  /** Answers synchronously if nothing has to be awaited. */
  handle(request: Request, bindings: Bindings): Response | Promise<Response> {
    try {
      const response = this.#route(request, bindings);
      return response instanceof Promise
        ? response.catch((error: unknown) => this.#failed(request, error))
        : response;
    } catch (error) {
      return this.#failed(request, error);
    }
  }

  #failed(request: Request, error: unknown): Response {
    if (error instanceof HttpError) return errorResponse(request, error);
    // The cause goes to the operator's log. The client only learns that there is no verdict.
    this.deployment.fault("internal_error", null, traceOf(error));
    return errorResponse(request, new HttpError("unavailable", "internal error; no verdict"));
  }

  #route(request: Request, bindings: Bindings): Response | Promise<Response> {
    // Checks are nearly all of the traffic, and the router would cost half as much as a check. A request with a
    // query takes the long way: no check has one.
    const path = targetOf(request.url);
    if (path === ROUTES.postRcpt.path && request.method === "POST") {
      return this.#serve("postRcpt", request, {}, bindings);
    }
    if (
      path.startsWith(ONE_RECIPIENT) &&
      path.length > ONE_RECIPIENT.length &&
      !path.includes("/", ONE_RECIPIENT.length) &&
      !path.includes("?") &&
      request.method === "GET"
    ) {
      return this.#serve("getRcpt", request, { address: path.slice(ONE_RECIPIENT.length) }, bindings);
    }
    return this.#router.fetch(request as unknown as IRequest, bindings) as Promise<Response>;
  }

  /** @param url to look for a query in; left out if there is none */
  #serve(
    name: RouteName,
    request: Request,
    params: Readonly<Record<string, string>>,
    bindings: Bindings,
    url = "",
  ): Response | Promise<Response> {
    const route: Route = ROUTES[name];
    const caller = this.#admit(route, request);
    if (url.includes("?")) requireQuery(route, url);
    const call: RouteCall = {
      request,
      params,
      caller,
      deployment: this.deployment,
      access: this.#access,
      context: this.deployment.contextOf(bindings),
    };
    // A route that calls the Registry anyway asks it. Checks learn of revocations with confirmations.
    const isAskedElsewhere = route.bound === "recipients" || route.asksWhetherRevoked === true;
    return isAskedElsewhere || caller === NOBODY || caller.role === "admin"
      ? handle(name, call)
      : this.#handleUnlessRevoked(name, call);
  }

  async #handleUnlessRevoked(name: RouteName, call: RouteCall): Promise<Response> {
    const { caller, context } = call;
    if (unwrap(await context.bindings.registry(0).isRevoked(caller.id))) throw unauthorized();
    return handle(name, call);
  }

  /** @throws HttpError `unauthorized` or `forbidden`; neither says anything about a recipient */
  #admit(route: Route, request: Request): Caller {
    if (route.roles === "anyone") return NOBODY;
    const caller = this.#access.caller(request.headers.get("Authorization"));
    if (caller === null) throw unauthorized();
    if (caller.role !== "admin" && !route.roles?.includes(caller.role)) {
      throw new HttpError("forbidden", `a ${caller.role} token may not do this`);
    }
    return caller;
  }
}

/** The path of the route for one recipient, up to the address. */
const ONE_RECIPIENT = ROUTES.getRcpt.path.slice(0, ROUTES.getRcpt.path.indexOf(":"));

/** A deployment without its secrets answers with its health, and with an error to everything else. */
export function serveUnconfigured(request: Request, faults: readonly string[]): Response {
  const [path] = targetOf(request.url).split("?", 1);
  if (path === ROUTES.showHealth.path) return health("unconfigured", faults);
  return errorResponse(request, new HttpError("unconfigured", faults.join("; ")));
}

/** Path and query of an absolute URL. Slicing costs a tenth of parsing. */
function targetOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("//") + 2);
  return from < 0 ? "/" : url.slice(from);
}

/**
 * Refuses query parameters that a route does not know or that appear twice: they may have been meant to matter. Routes
 * for anyone ignore them, since monitors add some to bypass caches.
 * @throws HttpError `bad_request`
 */
function requireQuery(route: Route, url: string): void {
  if (route.roles === "anyone") return;
  // The answer would be about an address that was not meant.
  if (route === ROUTES.getRcpt) {
    throw new HttpError("bad_request", "the address must be percent-encoded: ? is %3F, # is %23");
  }
  const names = [...new URL(url).searchParams.keys()];
  names.forEach((name, i) => {
    const isPaging = route.paged !== undefined && (name === "after" || name === "limit");
    const isFilter = route.filters !== undefined && Object.hasOwn(route.filters, name);
    const isKnown = route.query?.includes(name) || route.optionalQuery?.includes(name);
    if (!isPaging && !isFilter && !isKnown)
      throw new HttpError("bad_request", `unknown query parameter: ${name.slice(0, 100)}`);
    if (names.indexOf(name) < i) throw new HttpError("bad_request", `${name} is given twice`);
  });
}

function notFound(routes: readonly RouteEntry[], method: string, path: string): HttpError {
  const allowed = routes.filter(([, pattern]) => pattern.test(path)).map(([known]) => known);
  if (allowed.length === 0) return new HttpError("not_found", "no such route");
  const headers = { Allow: allowed.join(", ") };
  return new HttpError("method_not_allowed", `this route does not accept ${method}`, {}, headers);
}

import { type IRequest, Router } from "itty-router";
import { Access, type Caller } from "./access.ts";
import { errorResponse, HttpError } from "./http.ts";
import type { Isolate } from "./isolate.ts";
import type { Background, KvStore } from "./ports.ts";
import type { RegistryApi } from "./registry/protocol.ts";
import { health, showHealth } from "./routes/health.ts";
import { getRcpt, postRcpt } from "./routes/rcpt.ts";
import { type Route, readDomain, requireDomain, unwrap } from "./routes/route.ts";
import { ROUTES } from "./routes/table.ts";
import { makeScope } from "./scope.ts";

/** What one invocation is handed beside the request. */
export interface Surroundings {
  readonly kv: KvStore;
  readonly registry: (partition: number) => RegistryApi;
  readonly background: Background;
  readonly kvCacheTtl: () => number;
}

/** The edge of one isolate: answers HTTP requests. */
export class Edge {
  readonly #isolate: Isolate;
  readonly #access: Access;
  readonly #router = Router<IRequest, [Surroundings], Response>();

  constructor(isolate: Isolate) {
    this.#isolate = isolate;
    this.#access = new Access(isolate);
    for (const route of ROUTES) {
      const method = route.method.toLowerCase() as "get" | "post" | "put" | "delete";
      this.#router[method](route.path, (request, surroundings) =>
        this.#serve(route, request as unknown as Request, request.params, surroundings),
      );
    }
    this.#router.all("*", (request) => {
      throw notFound(request.method, new URL(request.url).pathname);
    });
  }

  async handle(request: Request, surroundings: Surroundings): Promise<Response> {
    try {
      // The check is nearly all of the traffic, and a router costs as much as half of it.
      const path = pathOf(request.url);
      if (request.method === "POST" && path === postRcpt.path) {
        return await this.#serve(postRcpt, request, {}, surroundings);
      }
      if (
        request.method === "GET" &&
        path.startsWith(ONE_RECIPIENT) &&
        !path.includes("/", ONE_RECIPIENT.length)
      ) {
        const address = path.slice(ONE_RECIPIENT.length);
        if (address !== "") return await this.#serve(getRcpt, request, { address }, surroundings);
      }
      return (await this.#router.fetch(request as unknown as IRequest, surroundings)) as Response;
    } catch (error) {
      return errorResponse(request, asHttpError(error));
    }
  }

  async #serve(
    route: Route,
    request: Request,
    rawParams: Readonly<Record<string, string>>,
    surroundings: Surroundings,
  ): Promise<Response> {
    const caller = await this.#admit(route, request, surroundings);
    const params = decodeParams(rawParams);
    if (route.bound === "path" && caller !== null) requireDomain(caller, params.domain as string);
    const scope = makeScope({ ...surroundings, clock: this.#isolate.ports.clock });
    return route.handle({
      request,
      params,
      caller: caller ?? NOBODY,
      isolate: this.#isolate,
      access: this.#access,
      scope,
      registry: surroundings.registry,
      kvCacheTtl: surroundings.kvCacheTtl,
    });
  }

  /** @throws HttpError `unauthorized` or `forbidden`; neither tells anything about a recipient */
  async #admit(route: Route, request: Request, surroundings: Surroundings): Promise<Caller | null> {
    if (route.roles === "anyone") return null;
    const caller = this.#access.caller(request.headers.get("Authorization"));
    if (caller === null) throw unauthorized();
    if (caller.role === "admin") return caller;
    if (!route.roles.includes(caller.role)) {
      throw new HttpError("forbidden", `a ${caller.role} token may not do this`);
    }
    // A route that reaches the Registry anyway asks it; the check learns of revocations by confirmation.
    if (route.bound !== "recipients" && (await this.#isRevoked(caller, surroundings))) throw unauthorized();
    return caller;
  }

  async #isRevoked(caller: Caller, { registry }: Surroundings): Promise<boolean> {
    return unwrap(await registry(0).isRevoked(caller.id));
  }
}

/** What stands before the address in {@link getRcpt}. */
const ONE_RECIPIENT = getRcpt.path.slice(0, getRcpt.path.indexOf(":"));

const NOBODY: Caller = { id: "nobody", role: "check", domains: new Set(), expires: null };

const unauthorized = (): HttpError =>
  new HttpError(
    "unauthorized",
    "the token is missing, malformed, expired or revoked",
    {},
    {
      "WWW-Authenticate": "Bearer",
    },
  );

/** What a deployment without its secrets can still answer, and the answer to everything else. */
export function serveUnconfigured(request: Request, faults: readonly string[]): Response {
  const path = pathOf(request.url);
  if (path === showHealth.path) return health("unconfigured", faults);
  return errorResponse(request, new HttpError("unconfigured", faults.join("; ")));
}

/** The path of an absolute URL: cutting it costs a tenth of parsing it. */
function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("//") + 2);
  if (from < 0) return "/";
  const to = url.indexOf("?", from);
  return to < 0 ? url.slice(from) : url.slice(from, to);
}

/** @throws HttpError `bad_request` */
function decodeParams(raw: Readonly<Record<string, string>>): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    try {
      params[name] = decodeURIComponent(value);
    } catch {
      throw new HttpError("bad_request", `${name} is not percent-encoded UTF-8`);
    }
  }
  if (params.domain !== undefined) params.domain = readDomain(params.domain);
  return params;
}

function notFound(method: string, path: string): HttpError {
  const allowed = ROUTES.filter((route) => patternOf(route.path).test(path)).map((route) => route.method);
  if (allowed.length === 0) return new HttpError("not_found", "no such route");
  return new HttpError(
    "method_not_allowed",
    `${method} is not for this route`,
    {},
    { Allow: allowed.join(", ") },
  );
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(".", "\\.").replace(/:\w+/g, "[^/]+")}/*$`);

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  // What broke is for the operator's log; the client learns that there is no verdict.
  console.error("request failed:", error);
  return new HttpError("unavailable", "something broke; there is no verdict");
}

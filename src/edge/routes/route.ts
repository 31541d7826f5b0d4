/** What the handlers of routes share. The table of routes is in api/routes.ts. */
import type { AnswerOf, BodyOf, ParamsOf, Result, ROUTES, RouteName } from "../../api/index.ts";
import type { Reach, RegistryApi } from "../../registry/index.ts";
import type { Access, Caller } from "../access.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError } from "../http.ts";
import type { RequestContext } from "../request-context.ts";

/** An authorised request, and all that a handler may use. */
export interface RouteCall {
  readonly request: Request;
  /** Parameters of the path; a handler gets them parsed by its route's schemas. */
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
  readonly deployment: Deployment;
  readonly access: Access;
  readonly context: RequestContext;
}

/** Returns a route's answer: a value that the route's schema describes, or a response. */
export type Handler<N extends RouteName> = (
  call: RouteCall & { readonly params: ParamsOf<N>; readonly body: BodyOf<N> },
) => Promise<AnswerOf<N> | Response>;

/** Checks read their own body, and answer synchronously if nothing has to be awaited. */
export type CheckHandler<N extends RouteName> = (
  call: RouteCall & { readonly params: ParamsOf<N> },
) => Response | Promise<Response>;

export type HandlerOf<N extends RouteName> = (typeof ROUTES)[N] extends { readonly bound: "recipients" }
  ? CheckHandler<N>
  : Handler<N>;

export const badRequest = (message: string): HttpError => new HttpError("bad_request", message);

export const notFound = (domain: string, message = `${domain} was never published`): HttpError =>
  new HttpError("not_found", message, { domain });

/** The value of a result. @throws HttpError with its error */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, ...more } = result.error;
  throw new HttpError(code, message, more);
}

/** The Registry of a domain. */
export const registryOf = ({ context, deployment }: RouteCall, domain: string): RegistryApi =>
  context.bindings.registry(deployment.reader.partitionOf(domain));

/** The Registry of each partition, in order. */
export const registriesOf = ({ context, deployment }: RouteCall): RegistryApi[] =>
  Array.from({ length: deployment.settings.partitions }, (_, partition) =>
    context.bindings.registry(partition),
  );

/** What every Registry answers, in order. @throws HttpError with the first error */
export async function askAll<T>(
  call: RouteCall,
  ask: (registry: RegistryApi) => Promise<Result<T>>,
): Promise<T[]> {
  const answers = [];
  for (const registry of registriesOf(call)) answers.push(unwrap(await ask(registry)));
  return answers;
}

/** Domains that the caller's token covers, as a Registry gets them. */
export const reachOf = ({ domains }: Caller): Reach => (domains === null ? null : [...domains]);

/** @throws HttpError `forbidden` if the caller's token does not cover a domain */
export function requireDomain(caller: Caller, domain: string): void {
  if (caller.domains !== null && !caller.domains.has(domain)) {
    throw new HttpError("forbidden", `this token does not cover ${domain}`, { domain });
  }
}

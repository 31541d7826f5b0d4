import { type ErrorCode, MAX_SMALL_BODY, type Role } from "../../api/contract.ts";
import type { Result } from "../../api/log.ts";
import { toALabel } from "../../directory/index.ts";
import type { Access, Caller } from "../access.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError, parseJson, readJson, readText } from "../http.ts";
import type { Bindings, RequestContext } from "../request-context.ts";

/** What a handler gets: the request, who asks, and all that it may use. */
export interface RouteCall {
  readonly request: Request;
  /** Path parameters, decoded. `domain` is in A-labels. */
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
  readonly deployment: Deployment;
  readonly access: Access;
  readonly context: RequestContext;
  /** Without the limits of a check, for management. */
  readonly bindings: Bindings;
}

/** One route: how it is reached, who may use it, what it does, and how it is described. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Parameters begin with a colon. */
  readonly path: string;
  /** Roles that may use it beside admin, who may use everything; `anyone` needs no token. */
  readonly roles: readonly Exclude<Role, "admin">[] | "anyone";
  /**
   * How a token's domains bound it: by the domain in the path, by the domains in the body, by the recipients
   * asked about (each of which then answers `unavailable`), or not at all.
   */
  readonly bound: "path" | "body" | "recipients" | "none";
  readonly summary: string;
  /** Names of schemas in openapi.ts; `octets` and `text` are bytes and lines. */
  readonly body?: string;
  readonly answer: string;
  readonly errors: readonly ErrorCode[];
  /** Whether the answer itself may come with 503: one verdict of `unavailable`, or a health that is none. */
  readonly answersWith503?: true;
  /** Names of query parameters that are required, each a whole number. */
  readonly query?: readonly string[];
  /** Where the answer comes in pages: what a line is named by. Query parameters `after` and `limit`; see paging.ts. */
  readonly paged?: "domain" | "generation";
  /** Settles at once where nothing has to be waited for. */
  handle(call: RouteCall): Response | Promise<Response>;
}

/** The value of a result, or its error on its way to the client. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, ...more } = result.error;
  throw new HttpError(code, message, more);
}

/** Reads a domain given by a client. @throws HttpError `bad_request` */
export function readDomain(text: unknown): string {
  if (typeof text !== "string") throw new HttpError("bad_request", "not a domain: it must be text");
  const domain = toALabel(text);
  if (domain === null) throw new HttpError("bad_request", `not a domain: ${text.slice(0, 100)}`);
  return domain;
}

/** @throws HttpError `forbidden` where the caller's token does not cover a domain */
export function requireDomain(caller: Caller, domain: string): void {
  if (caller.domains !== null && !caller.domains.has(domain)) {
    throw new HttpError("forbidden", `this token does not cover ${domain}`, { domain });
  }
}

/** The name under which {@link readObject} is told of a whole body. */
const BODY = "the body";

/**
 * Reads an object.
 * @param members where the request changes something: all the members that it may have. What is not understood may
 *   have been meant to matter, so it must not be lost. A check leaves this out, and ignores what it does not know.
 * @throws HttpError `bad_request` where a value is no object, or has another member
 */
export function readObject(
  value: unknown,
  what: string,
  members?: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError("bad_request", `${what} must be an object`);
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) {
    const name = `${what === BODY ? "" : `${what}.`}${unknown.slice(0, 100)}`;
    const known = members?.length ? `known are ${members.join(", ")}` : "none are taken here";
    throw new HttpError("bad_request", `unknown member: ${name}; ${known}`);
  }
  return value as Record<string, unknown>;
}

/**
 * Reads the JSON object that a request has for its body.
 * @throws HttpError `bad_request`, `timeout`, `too_large` or `unsupported_media_type`
 */
export const readBodyObject = async (
  { request, deployment }: RouteCall,
  limit: number,
  members: readonly string[],
): Promise<Record<string, unknown>> =>
  readObject(await readJson(request, limit, deployment.ports.timers), BODY, members);

/**
 * Reads the body of a request that takes none: it is empty, or an object without members.
 * @throws HttpError `bad_request`, `timeout` or `too_large`
 */
export async function readNoBody({ request, deployment }: RouteCall): Promise<void> {
  const body = await readText(request, MAX_SMALL_BODY, deployment.ports.timers);
  if (body.trim() !== "") readObject(parseJson(body), BODY, []);
}

/** A whole number that is not negative. @throws HttpError `bad_request` */
export function readNumber(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new HttpError("bad_request", `${what} must be a whole number`);
  }
  return value as number;
}

const MAX_NOTE = 200;

/** A note for people, undefined where there is none. @throws HttpError `bad_request` */
export function readNote(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value.length > MAX_NOTE) {
    throw new HttpError("bad_request", `note must be text of at most ${MAX_NOTE} characters`);
  }
  return value;
}

/** Text. @throws HttpError `bad_request` */
export function readString(value: unknown, what: string): string {
  if (typeof value !== "string") throw new HttpError("bad_request", `${what} must be text`);
  return value;
}

/** A list of text. @throws HttpError `bad_request` */
export function readTexts(value: unknown, what: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) {
    throw new HttpError("bad_request", `${what} must be a list of text`);
  }
  return value;
}

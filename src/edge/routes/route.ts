import type { ErrorCode, Role } from "../../api/contract.ts";
import { toALabel } from "../../directory/index.ts";
import type { Access, Caller } from "../access.ts";
import { HttpError } from "../http.ts";
import type { Isolate } from "../isolate.ts";
import type { Result } from "../registry/protocol.ts";
import type { Scope, Surroundings } from "../scope.ts";

/** What a handler gets: the request, who asks, and all that it may use. */
export interface RouteContext {
  readonly request: Request;
  /** Path parameters, decoded. `domain` is in A-labels. */
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
  readonly isolate: Isolate;
  readonly access: Access;
  readonly scope: Scope;
  /** Without the limits of a check: management has its own. */
  readonly surroundings: Surroundings;
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
  handle(context: RouteContext): Response | Promise<Response>;
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

/** @throws HttpError `bad_request` where a value is no object */
export function readObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError("bad_request", `${what} must be an object`);
  }
  return value as Record<string, unknown>;
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

/** A list of text. @throws HttpError `bad_request` */
export function readTexts(value: unknown, what: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) {
    throw new HttpError("bad_request", `${what} must be a list of text`);
  }
  return value;
}

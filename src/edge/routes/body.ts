/** Reads parameters and bodies of requests by the schemas of their routes. */
import { type Infer, MAX_SMALL_BODY, noMembers, type Route, read, type Schema } from "../../api/index.ts";
import type { Timers } from "../../runtime/ports.ts";
import { HttpError, mediaType, readBody, readText } from "../http.ts";
import { badRequest } from "./route.ts";

/** @throws HttpError `bad_request`, saying where and what */
export function readMessage<S extends Schema>(schema: S, value: unknown, what?: string): Infer<S> {
  const reading = read(schema, value, what);
  if (reading.fault !== undefined) throw badRequest(reading.fault);
  return reading.value;
}

/** @throws HttpError `bad_request`, saying where and what */
export function parseMessage<S extends Schema>(schema: S, body: string): Infer<S> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw badRequest("the body is not JSON");
  }
  return readMessage(schema, value);
}

/** Parameters of a path, decoded; a domain is in A-labels. @throws HttpError `bad_request` */
export function readParams(
  { params = {} }: Route,
  raw: Readonly<Record<string, string>>,
): Record<string, string> {
  const read: Record<string, string> = {};
  for (const name in params) {
    let value: string;
    try {
      value = decodeURIComponent(raw[name] ?? "");
    } catch {
      throw badRequest(`${name} is not percent-encoded UTF-8`);
    }
    read[name] = readMessage(params[name] as Schema<string>, value, name);
  }
  return read;
}

/**
 * The body of a request. A route without a body accepts an empty one, or an object without members.
 * @throws HttpError `bad_request`, `timeout`, `too_large` or `unsupported_media_type`
 */
export async function readRouteBody(
  { method, body }: Route,
  request: Request,
  timers: Timers,
): Promise<unknown> {
  if (method === "GET") return undefined;
  if (body === undefined) {
    const sent = await readText(request, MAX_SMALL_BODY, timers);
    return sent.trim() === "" ? undefined : parseMessage(noMembers, sent);
  }
  if (body.schema === "bytes") return readBody(request, body.limit, timers);
  if (mediaType(request) !== "application/json") {
    throw new HttpError("unsupported_media_type", "send the body as application/json");
  }
  return parseMessage(body.schema, await readText(request, body.limit, timers));
}

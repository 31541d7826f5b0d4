import { type ErrorBody, type ErrorCode, STATUS } from "../api/index.ts";
import { concatBytes } from "../directory/index.ts";
import type { Timers } from "../runtime/ports.ts";
import { withTimeout } from "../runtime/timeout.ts";

/** No shared cache may serve an answer: it would bypass authentication. */
const PRIVATE = { "Cache-Control": "private, no-store" };

/** How long a client may take to send its body. */
const BODY_TIME = 10_000;

/** An error of the API. {@link errorResponse} is the one place that makes a response of it. */
export class HttpError extends Error {
  readonly error: ErrorBody["error"];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    message: string,
    more: Omit<ErrorBody["error"], "code" | "message"> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "HttpError";
    this.error = { code, message, ...more };
    this.headers = headers;
  }
}

export const unauthorized = (): HttpError =>
  new HttpError(
    "unauthorized",
    "the token is missing, malformed, expired or revoked",
    {},
    { "WWW-Authenticate": "Bearer" },
  );

/** Created once and copied natively: nearly every answer has them. */
const JSON_HEADERS = new Headers({ ...PRIVATE, "Content-Type": "application/json" });
const JSON_OK = { headers: JSON_HEADERS };

export const json = (body: unknown, status = 200): Response => jsonText(JSON.stringify(body), status);

/** @param body JSON that is written already */
export const jsonText = (body: string, status = 200): Response =>
  new Response(body, status === 200 ? JSON_OK : { ...JSON_OK, status });

export const text = (body: string, status = 200): Response =>
  new Response(body, { status, headers: { ...PRIVATE, "Content-Type": "text/plain; charset=utf-8" } });

export const octets = (body: Uint8Array): Response =>
  new Response(body, { headers: { ...PRIVATE, "Content-Type": "application/octet-stream" } });

/** An error as a response. Clients that read lines and ignore the status get a deferral as the first line. */
export function errorResponse(request: Request, { error, headers }: HttpError): Response {
  const status = STATUS[error.code];
  const response = wantsText(request)
    ? text(`451 4.3.0 recipient cannot be checked now: ${printable(error.message)}\n`, status)
    : json({ error } satisfies ErrorBody, status);
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

const printable = (message: string): string => message.replace(/[^\x20-\x7e]/g, "?").slice(0, 400);

/** Media type of a request's body, in lower case and without parameters; empty if there is none. */
export function mediaType(request: Request): string {
  if (request.method === "GET") return "";
  const type = request.headers.get("Content-Type") ?? "";
  if (type === "application/json") return type;
  return type.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * Whether to answer in lines of text: the client accepts only those, or sent lines itself.
 * @param type media type of the request's body, if it is known already
 */
export function wantsText(request: Request, type = mediaType(request)): boolean {
  if (type === "text/plain") return true;
  const accept = request.headers.get("Accept");
  if (accept === null) return false;
  // Many HTTP libraries accept both by default and expect JSON.
  return /(^|,)\s*text\/plain\b/i.test(accept) && !/(^|,)\s*application\/json\b/i.test(accept);
}

/**
 * Reads a body of at most `limit` octets.
 * @throws HttpError `too_large`, or `timeout` where the client takes more than ten seconds
 */
export async function readBody(request: Request, limit: number, timers: Timers): Promise<Uint8Array> {
  if (!tellsLength(request, limit)) return readStream(request, limit, timers);
  return requireLength(new Uint8Array(await inTime(timers, () => request.arrayBuffer())), limit);
}

function requireLength<B extends string | Uint8Array>(body: B, limit: number): B {
  if (body.length > limit) throw tooLarge(limit);
  return body;
}

/**
 * Reads a body of at most `limit` octets as text. Bytes that are not UTF-8 become U+FFFD, which no list contains.
 * @throws HttpError `too_large`, or `timeout` where the client takes more than ten seconds
 */
export function readText(request: Request, limit: number, timers: Timers): Promise<string> {
  return tellsLength(request, limit)
    ? inTime(timers, () => request.text()).then((body) => requireLength(body, limit))
    : readStream(request, limit, timers).then((body) => decoder.decode(body));
}

/**
 * Whether a request declares the length of its body. Such a body is read whole, at a third of the cost of a stream;
 * another one in pieces, which are counted.
 * @throws HttpError `too_large` where it tells a length above `limit`
 */
function tellsLength(request: Request, limit: number): boolean {
  const told = request.headers.get("Content-Length");
  if (told === null) return false;
  if (Number(told) > limit) throw tooLarge(limit);
  return true;
}

const inTime = <T>(timers: Timers, take: () => Promise<T>): Promise<T> =>
  withTimeout(
    timers,
    BODY_TIME,
    take,
    () => new HttpError("timeout", `the body did not arrive within ${BODY_TIME / 1000} seconds`),
  );

const tooLarge = (limit: number): HttpError =>
  new HttpError("too_large", `the body has more than ${limit} octets`);

async function readStream(request: Request, limit: number, timers: Timers): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  try {
    return await inTime(timers, () => readPieces(reader, limit));
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error;
  }
}

async function readPieces(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limit: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const next = await reader.read();
    if (next.done) return concatBytes(pieces);
    length += next.value.length;
    if (length > limit) throw tooLarge(limit);
    pieces.push(next.value);
  }
}

const decoder = new TextDecoder();

import type { ErrorBody, ErrorCode } from "../api/contract.ts";
import { concatBytes } from "../directory/index.ts";
import type { Clock, Nap, Timers } from "./ports.ts";

/** HTTP status of each error. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timeout: 408,
  conflict: 409,
  missing_shards: 409,
  too_large: 413,
  unsupported_media_type: 415,
  guard: 422,
  unconfigured: 503,
  uninitialised: 503,
  unavailable: 503,
};

/** Nothing of ours may be served by a shared cache, past authentication. */
const PRIVATE = { "Cache-Control": "private, no-store" };

/** How long a client may take to send its body. */
const BODY_TIME = 10_000;

/** An error of the contract, on its way to the one place that makes a response of it. */
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

export const json = (body: unknown, status = 200): Response =>
  new Response(JSON.stringify(body), { status, headers: { ...PRIVATE, "Content-Type": "application/json" } });

export const text = (body: string, status = 200): Response =>
  new Response(body, { status, headers: { ...PRIVATE, "Content-Type": "text/plain; charset=utf-8" } });

export const octets = (body: Uint8Array): Response =>
  new Response(body, { headers: { ...PRIVATE, "Content-Type": "application/octet-stream" } });

/** An error as a response. Clients that read lines and no status get a deferral as the first one. */
export function errorResponse(request: Request, { error, headers }: HttpError): Response {
  const status = STATUS[error.code];
  const response = wantsText(request)
    ? text(`451 4.3.0 recipient cannot be checked now: ${printable(error.message)}\n`, status)
    : json({ error } satisfies ErrorBody, status);
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

const printable = (message: string): string => message.replace(/[^\x20-\x7e]/g, "?").slice(0, 400);

/** Media type of a request's body, in lower case and without parameters. */
export const mediaType = (request: Request): string =>
  (request.headers.get("Content-Type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/** Whether the answer shall be lines of text: so asked, or the question was. */
export function wantsText(request: Request): boolean {
  if (mediaType(request) === "text/plain") return true;
  const accept = request.headers.get("Accept") ?? "";
  // Many HTTP libraries accept both by default, and mean JSON.
  return /(^|,)\s*text\/plain\b/i.test(accept) && !/(^|,)\s*application\/json\b/i.test(accept);
}

/**
 * Reads a body of at most `limit` octets.
 * @throws HttpError `too_large`, or `timeout` where the client takes more than ten seconds
 */
export async function readBody(
  request: Request,
  limit: number,
  ports: { readonly clock: Clock; readonly timers: Timers },
): Promise<Uint8Array> {
  const tooLarge = (): HttpError => new HttpError("too_large", `the body has more than ${limit} octets`);
  const declared = request.headers.get("Content-Length");
  if (declared !== null && Number(declared) > limit) throw tooLarge();
  if (declared === null && request.body === null) return new Uint8Array(0);
  const nap: Nap = {};
  const late = ports.timers.sleep(BODY_TIME, nap).then((): never => {
    throw new HttpError("timeout", `the body did not arrive within ${BODY_TIME / 1000} seconds`);
  });
  // Losing the race is no failure of anybody's.
  late.catch(() => undefined);
  try {
    if (declared === null) {
      return await readStream(request.body as ReadableStream<Uint8Array>, limit, tooLarge, late);
    }
    // With its length told beforehand a body can be taken whole, at a third of a stream's cost.
    const body = new Uint8Array(await Promise.race([request.arrayBuffer(), late]));
    if (body.length > limit) throw tooLarge();
    return body;
  } finally {
    nap.cancel?.();
  }
}

async function readStream(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  tooLarge: () => HttpError,
  late: Promise<never>,
): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late]);
      if (next.done) break;
      length += next.value.length;
      if (length > limit) throw tooLarge();
      chunks.push(next.value);
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error;
  }
  return concatBytes(chunks);
}

const decoder = new TextDecoder();

/** Text of a body; bytes that are no UTF-8 become U+FFFD, which no list holds. */
export const bodyText = (body: Uint8Array): string => decoder.decode(body);

/** @throws HttpError `unsupported_media_type` or `bad_request` */
export async function readJson(
  request: Request,
  limit: number,
  ports: { readonly clock: Clock; readonly timers: Timers },
): Promise<unknown> {
  if (mediaType(request) !== "application/json") {
    throw new HttpError("unsupported_media_type", "send the body as application/json");
  }
  return parseJson(bodyText(await readBody(request, limit, ports)));
}

/** @throws HttpError `bad_request` */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new HttpError("bad_request", "the body is not JSON");
  }
}

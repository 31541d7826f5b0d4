import { type ErrorBody, errorBody, read } from "../api/index.ts";
import { firstOf } from "../runtime/first-of.ts";
import { messageOf } from "../runtime/message-of.ts";
import { retry } from "../runtime/retry.ts";
import { ClientError } from "./errors.ts";
import { type HttpReply, type HttpRequest, type Send, sendByFetch } from "./http.ts";

/** The outside world, handed in. */
export interface ClientPorts {
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Milliseconds; only differences count. */
  now(): number;
  /** Resolves after `ms`; may resolve early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface ClientOptions extends ClientPorts {
  /** Base URL of the edge, with or without a path before `/v1`. */
  readonly url: string;
  /** The token; as a function, the one to send next. */
  readonly token: string | (() => string);
  /** Sends requests in place of `fetch`, for clients that send so many that fetch would cost too much CPU. */
  readonly send?: Send;
  /** Milliseconds for a whole exchange, body included. Default 30,000. */
  readonly timeoutMs?: number;
  /** How often an idempotent request is tried again. Default 3. */
  readonly retries?: number;
  /** Sent as User-Agent. */
  readonly userAgent?: string;
}

/** One request. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path below the base, with its leading slash, encoded. */
  readonly path: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether sending it twice does no more than sending it once; only then is it tried again. */
  readonly idempotent: boolean;
  /** Octets that the response may have. */
  readonly limit?: number;
}

const TIMEOUT_MS = 30_000;
const RETRIES = 3;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
/** No body of the API is longer, lists of domains included. */
const RESPONSE_LIMIT = 64 * 1024 * 1024;

export class Transport {
  readonly #options: ClientOptions;
  readonly #base: string;
  readonly #send: Send;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#send = options.send ?? sendByFetch(options);
    this.#base = options.url.replace(/\/+$/, "");
  }

  /**
   * Sends a request, and again while the failure is transient and it is idempotent, or nothing was done.
   * @returns the response of a 2xx status
   * @throws ClientError
   */
  async send(call: Call): Promise<HttpReply> {
    const retries = this.#options.retries ?? RETRIES;
    let retryAfter = Number.NaN;
    const pauseAfter = (error: unknown, attempt: number): number | null => {
      if (!(error instanceof ClientError && error.transient) || attempt > retries) return null;
      // With that header, the edge says that it did nothing.
      const isUndone = error.code === "unavailable" && retryAfter >= 0;
      if (!call.idempotent && !isUndone) return null;
      const pause = retryAfter >= 0 ? retryAfter * 1000 : FIRST_PAUSE_MS * 2 ** (attempt - 1);
      return Math.min(LONGEST_PAUSE_MS, pause);
    };
    return retry(this.#options, pauseAfter, async () => {
      retryAfter = Number.NaN;
      const reply = await this.exchange(call);
      if (reply.status >= 200 && reply.status < 300) return reply;
      retryAfter = Number(reply.header("retry-after") ?? Number.NaN);
      throw failureOf(reply, this.#base);
    });
  }

  /** One try. @returns the response, whatever its status. @throws ClientError `unreachable` or `protocol` */
  async exchange(call: Call): Promise<HttpReply> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const over = new AbortController();
    try {
      const send = (): Promise<HttpReply> => this.#send(this.#requestOf(call, over.signal));
      const reply = await firstOf(this.#options, timeoutMs, send);
      if (reply !== null) return reply;
      throw new ClientError("unreachable", `${this.#base} did not answer within ${timeoutMs / 1000} s`);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      const why = reasonOf(error);
      throw new ClientError("unreachable", `${this.#base} cannot be reached: ${why}`, null, null, {
        cause: error,
      });
    } finally {
      // Cancels a request that took too long. The reason keeps the platform from making an error for each request.
      over.abort("settled");
    }
  }

  #requestOf(call: Call, signal: AbortSignal): HttpRequest {
    const { token, userAgent = "rollcall" } = this.#options;
    const headers: Record<string, string> = {
      authorization: `Bearer ${typeof token === "string" ? token : token()}`,
      accept: "application/json, application/octet-stream",
      "user-agent": userAgent,
      ...call.headers,
    };
    let body: string | Uint8Array | null = null;
    if (call.json !== undefined) {
      headers["content-type"] = "application/json";
      body = JSON.stringify(call.json);
    } else if (call.bytes !== undefined) {
      headers["content-type"] = "application/octet-stream";
      body = call.bytes;
    }
    const { method, path, idempotent, limit = RESPONSE_LIMIT } = call;
    return { method, url: `${this.#base}${path}`, headers, body, idempotent, limit, signal };
  }
}

/** fetch says "fetch failed" and hides the reason behind it. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  if (cause instanceof Error)
    return cause.message || String((cause as { code?: unknown }).code ?? cause.name);
  return messageOf(error);
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON of a body. @returns undefined if it is not JSON */
export function jsonOf(reply: HttpReply): unknown {
  try {
    return JSON.parse(UTF_8.decode(reply.bytes));
  } catch {
    return undefined;
  }
}

/** The error that a response of another status than 2xx stands for. */
export function failureOf(reply: HttpReply, base: string): ClientError {
  const { status } = reply;
  const body = errorBodyOf(reply);
  if (reply.header("cf-mitigated") !== null || (body === null && isHtml(reply) && isBlocked(status))) {
    return new ClientError(
      "challenge",
      `a bot filter before ${base} answered with a page for browsers (HTTP ${status})`,
      status,
    );
  }
  if (body !== null) {
    const kind = status === 401 ? "unauthorized" : status === 403 ? "forbidden" : "api";
    return new ClientError(kind, body.message, status, body);
  }
  if (status === 429) return new ClientError("unreachable", `${base} asks to slow down (HTTP 429)`, status);
  if (status >= 500) {
    return new ClientError("unreachable", `${base} answers with HTTP ${status}, not from an edge`, status);
  }
  const where = reply.header("location");
  const what = where === null ? `HTTP ${status}` : `HTTP ${status} to ${where}`;
  return new ClientError("protocol", `${base} does not answer as a Rollcall edge: ${what}`, status);
}

/** A response that is not an answer of an edge. @param why what is wrong with it */
export function notAnEdge(base: string, { method, path }: Call, why?: string): ClientError {
  const reason = why === undefined ? "" : `: ${why}`;
  return new ClientError("protocol", `${base} does not answer ${method} ${path} as a Rollcall edge${reason}`);
}

function isHtml(reply: HttpReply): boolean {
  const type = reply.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "text/html" || type === "application/xhtml+xml";
}

/** Statuses under which bot filters show their pages; other statuses of a gateway are outages. */
const isBlocked = (status: number): boolean => status === 403 || status === 429 || status === 503;

const errorBodyOf = (reply: HttpReply): ErrorBody["error"] | null =>
  read(errorBody, jsonOf(reply)).value?.error ?? null;

import type { ErrorBody } from "../api/contract.ts";
import { ClientError } from "./errors.ts";

/** The outside world, handed in. */
export interface ClientPorts {
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Milliseconds; only differences are looked at. */
  now(): number;
  /** Resolves after `ms`; may resolve early, without an error, where `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface ClientOptions extends ClientPorts {
  /** Base URL of the edge, with or without a path before `/v1`. */
  readonly url: string;
  readonly token: string;
  /** Milliseconds for a whole exchange, body included. Default 30,000. */
  readonly timeoutMs?: number;
  /** Further tries of what may be asked twice. Default 3. */
  readonly retries?: number;
  /** Sent as User-Agent. */
  readonly userAgent?: string;
}

/** One request. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path below the base, with its leading slash, encoded. */
  readonly path: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  /** Whether sending it twice does no more than sending it once; only then is it tried again. */
  readonly idempotent: boolean;
  /** Octets that the response may have. */
  readonly limit?: number;
}

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly bytes: Uint8Array;
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

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, "");
  }

  /**
   * Sends a request, and again while it is idempotent and the failure transient.
   * @returns the response of a 2xx status
   * @throws ClientError
   */
  async send(call: Call): Promise<Reply> {
    const tries = call.idempotent ? 1 + (this.#options.retries ?? RETRIES) : 1;
    for (let attempt = 1; ; attempt++) {
      let pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
      try {
        const { reply, response } = await this.exchange(call);
        if (reply.status >= 200 && reply.status < 300) return reply;
        const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
        if (retryAfter >= 0) pause = Math.min(LONGEST_PAUSE_MS, retryAfter * 1000);
        throw failureOf(reply, response, this.#base);
      } catch (error) {
        if (!(error instanceof ClientError && error.transient) || attempt >= tries) throw error;
      }
      await this.#options.sleep(pause);
    }
  }

  /** One try. @returns the response, whatever its status. @throws ClientError `unreachable` or `protocol` */
  async exchange(call: Call): Promise<{ reply: Reply; response: Response }> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const stop = new AbortController();
    const settled = new AbortController();
    const late = new ClientError("unreachable", `${this.#base} did not answer within ${timeoutMs / 1000} s`);
    // Never waited for: a port may let it run on.
    this.#options.sleep(timeoutMs, settled.signal).then(
      () => {
        if (!settled.signal.aborted) stop.abort(late);
      },
      () => undefined,
    );
    const aborted = new Promise<never>((_, reject) => {
      stop.signal.addEventListener("abort", () => reject(late), { once: true });
    });
    try {
      return await Promise.race([this.#fetch(call, stop.signal), aborted]);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      const why = reasonOf(error);
      throw new ClientError("unreachable", `${this.#base} cannot be reached: ${why}`, null, null, {
        cause: error,
      });
    } finally {
      settled.abort();
    }
  }

  async #fetch(call: Call, signal: AbortSignal): Promise<{ reply: Reply; response: Response }> {
    const { token, userAgent = "rollcall" } = this.#options;
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      accept: "application/json, application/octet-stream",
      "user-agent": userAgent,
    };
    let body: string | Uint8Array<ArrayBuffer> | undefined;
    if (call.json !== undefined) {
      headers["content-type"] = "application/json";
      body = JSON.stringify(call.json);
    } else if (call.bytes !== undefined) {
      headers["content-type"] = "application/octet-stream";
      body = call.bytes as Uint8Array<ArrayBuffer>;
    }
    const response = await this.#options.fetch(`${this.#base}${call.path}`, {
      method: call.method,
      headers,
      signal,
      // An edge sends nobody elsewhere, and a token must not follow.
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
    });
    const bytes = await readLimited(response, call.limit ?? RESPONSE_LIMIT);
    const type = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
    return { reply: { status: response.status, type, bytes }, response };
  }
}

async function readLimited(response: Response, limit: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new ClientError("protocol", `the answer is longer than ${limit} octets`, response.status);
    }
    parts.push(value);
  }
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** fetch says "fetch failed" and hides the reason behind it. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  if (cause instanceof Error)
    return cause.message || String((cause as { code?: unknown }).code ?? cause.name);
  return error instanceof Error ? error.message : String(error);
}

/** The JSON of a body. @returns undefined where it is none */
export function jsonOf(reply: Reply): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(reply.bytes));
  } catch {
    return undefined;
  }
}

/** The error that a response of another status than 2xx stands for. */
export function failureOf(reply: Reply, response: Response, base: string): ClientError {
  const { status } = reply;
  const body = errorBodyOf(reply);
  if (response.headers.has("cf-mitigated") || (body === null && isHtml(reply) && isBlocked(status))) {
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
  const where = response.headers.get("location");
  const what = where === null ? `HTTP ${status}` : `HTTP ${status} to ${where}`;
  return new ClientError("protocol", `${base} does not answer as a Rollcall edge: ${what}`, status);
}

const isHtml = (reply: Reply): boolean =>
  reply.type === "text/html" || reply.type === "application/xhtml+xml";

/** Statuses under which bot filters show their pages; others of a gateway are plain outages. */
const isBlocked = (status: number): boolean => status === 403 || status === 429 || status === 503;

function errorBodyOf(reply: Reply): ErrorBody["error"] | null {
  const value = jsonOf(reply);
  if (typeof value !== "object" || value === null) return null;
  const { error } = value as { error?: unknown };
  if (typeof error !== "object" || error === null) return null;
  const { code, message } = error as Record<string, unknown>;
  return typeof code === "string" && typeof message === "string" ? (error as ErrorBody["error"]) : null;
}

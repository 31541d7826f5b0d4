import { concatBytes } from "../directory/index.ts";
import { ClientError } from "./errors.ts";

/** One HTTP request, as it goes out. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  /** Whether sending it twice does no more than sending it once. */
  readonly idempotent: boolean;
  /** Octets that the response's body may have. */
  readonly limit: number;
  /** Aborted once the caller no longer waits. */
  readonly signal: AbortSignal;
}

/** A whole response. */
export interface HttpReply {
  readonly status: number;
  /** @param name in lower case. @returns null if there is no such header */
  header(name: string): string | null;
  readonly bytes: Uint8Array;
}

/**
 * Sends a request and reads the whole response. Follows no redirection: an edge sends none, and the token must not go
 * elsewhere. Rejects if there is no whole response, with {@link tooLong} if it has more octets than the limit.
 */
export type Send = (request: HttpRequest) => Promise<HttpReply>;

/** @returns the error for a response that is longer than the limit */
export const tooLong = (limit: number, status: number): ClientError =>
  new ClientError("protocol", `the answer is longer than ${limit} octets`, status);

/** @returns a sender over a port with the signature of the platform's `fetch` */
export const sendByFetch =
  (port: { fetch(input: string, init?: RequestInit): Promise<Response> }): Send =>
  async ({ method, url, headers, body, limit, signal }) => {
    const response = await port.fetch(url, {
      method,
      headers,
      signal,
      redirect: "manual",
      ...(body === null ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
    });
    const bytes = await readLimited(response, limit);
    return { status: response.status, header: (name) => response.headers.get(name), bytes };
  };

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
      throw tooLong(limit, response.status);
    }
    parts.push(value);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
}

/** One HTTP request of a client of MTA Hooks. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface HookRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** Octets of the answer. */
  readonly limit: number;
  /** The authority of the server's certificate in PEM; null for those of the system. */
  readonly authority: string | null;
}

export interface HookResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/**
 * One request on a connection of its own. Redirects are not followed.
 * @throws Error after the timeout, and for a longer answer than allowed
 */
export function send({
  method,
  url,
  headers,
  body,
  timeout,
  limit,
  authority,
}: HookRequest): Promise<HookResponse> {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url, {
      method,
      agent: false,
      signal: AbortSignal.timeout(timeout),
      ...(authority === null ? {} : { ca: authority }),
      headers: {
        ...(body === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }),
        ...headers,
      },
    });
    request.once("error", reject).once("response", (response) => {
      response.once("error", reject).once("aborted", () => reject(new Error("the answer is incomplete")));
      const parts: Buffer[] = [];
      let length = 0;
      response.on("data", (part: Buffer) => {
        length += part.length;
        if (length > limit) request.destroy(new Error("Hook response too large"));
        else parts.push(part);
      });
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers["content-type"] ?? "",
          body: Buffer.concat(parts).toString("utf8"),
        }),
      );
    });
    request.end(body);
  });
}

/**
 * HTTP over connections that are kept, by node:http and node:https. For the bridge, which asks all day: with
 * `fetch` most of its time goes into streams, and most of its memory into garbage, some of which V8 does not see.
 */
import type * as Http from "node:http";
import { urlToHttpOptions } from "node:url";
import { type HttpReply, type HttpRequest, type Send, tooLong } from "../client/index.ts";

// Not imported: Node 24 would load its WebSocket along, and hold 12 MiB more for as long as the bridge runs.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");

/**
 * Milliseconds for which a connection is kept that nobody uses. Shorter than what gateways and firewalls keep one, so
 * that a question seldom goes out on one that is no longer there.
 */
const IDLE_MS = 30_000;

/** Connections to edges. */
export class HttpPool {
  readonly #plain: Http.Agent;
  readonly #secure: Http.Agent;
  readonly #underWay = new Set<Http.ClientRequest>();
  #isClosed = false;

  /** @param connections to one host at the same time; more requests wait for one */
  constructor(connections: number) {
    const options = {
      keepAlive: true,
      maxSockets: connections,
      maxFreeSockets: connections,
      timeout: IDLE_MS,
    };
    this.#plain = new http.Agent(options);
    this.#secure = new https.Agent(options);
  }

  /**
   * A request that met a connection which the other side had closed meanwhile is sent once more on a new one, where
   * it may be sent twice.
   */
  readonly send: Send = async (request) => {
    try {
      return await this.#exchange(request, false);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      if (!request.idempotent || request.signal.aborted || this.#isClosed) throw error.cause;
      // Not on one of the kept ones: they may all have gone the same way.
      return await this.#exchange(request, true);
    }
  };

  #exchange(
    { url, method, headers, body, limit, signal }: HttpRequest,
    isAlone: boolean,
  ): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error("the connections were closed");
      if (signal.aborted) throw signal.reason;
      const target = new URL(url);
      const isSecure = target.protocol === "https:";
      const agent = isAlone ? false : isSecure ? this.#secure : this.#plain;
      const request = (isSecure ? https : http).request({
        ...urlToHttpOptions(target),
        method,
        headers,
        agent,
      });
      this.#underWay.add(request);
      const giveUp = (): void => void request.destroy(new Error("nobody waits for it any more"));
      signal.addEventListener("abort", giveUp);
      let hasResponse = false;
      request.on("response", (response) => {
        hasResponse = true;
        const parts: Buffer[] = [];
        let length = 0;
        response.on("data", (part: Buffer) => {
          length += part.length;
          if (length <= limit) return void parts.push(part);
          reject(tooLong(limit, response.statusCode ?? 0));
          request.destroy();
        });
        response.on("end", () => {
          if (!response.complete) return;
          resolve({
            status: response.statusCode ?? 0,
            header: (name) => textOf(response.headers[name]),
            bytes: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts),
          });
        });
        response.on("error", reject);
      });
      // Stays until the very end: an error that nobody listens to would end the process.
      request.on("error", (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && !hasResponse && WENT_AWAY.has(error.code ?? "");
        reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
      });
      request.on("close", () => {
        this.#underWay.delete(request);
        signal.removeEventListener("abort", giveUp);
        // Of no effect where it was settled before.
        reject(new Error("the connection ended before the response was whole"));
      });
      request.end(body ?? undefined);
    });
  }

  /** Ends all connections, and what is under way on them. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#underWay) request.destroy(new Error("the connections were closed"));
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** What Node says where the other side has closed a connection. */
const WENT_AWAY: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** A kept connection was closed before anything came back on it. */
class StaleConnection extends Error {}

const textOf = (value: string | readonly string[] | undefined): string | null =>
  typeof value === "string" ? value : (value?.join(", ") ?? null);

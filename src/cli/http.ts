/**
 * HTTP over persistent connections, with node:http and node:https. For the bridge, which sends requests all day: with
 * `fetch` it would spend most of its time on streams, and most of its memory on garbage, some of it outside V8's view.
 */

import { X509Certificate } from "node:crypto";
import type * as Http from "node:http";
import { urlToHttpOptions } from "node:url";
import { getProxyForUrl } from "proxy-from-env";
import { type HttpReply, type HttpRequest, type Send, tooLong } from "../client/index.ts";
import { TunnelAgent } from "./tunnel.ts";

// Not imported: Node 24 would also load its WebSocket, which takes 12 MiB for as long as the bridge runs.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");
const tls = process.getBuiltinModule("node:tls");

/**
 * Milliseconds to keep an idle connection. Shorter than the limits of gateways and firewalls, so that a request seldom
 * uses a connection that is already closed.
 */
const IDLE_MS = 30_000;

export interface PoolOptions {
  /** Most connections to one host; further requests wait. */
  readonly connections: number;
  /** PEM of further certificate authorities, for the edge and for a proxy with TLS; null for none. */
  readonly ca?: string | null;
  /** The proxy for edges with TLS; null for none. */
  readonly proxy?: URL | null;
}

/**
 * The proxy that HTTPS_PROXY and NO_PROXY name for a URL; null for none.
 * @throws if it is not a URL
 */
export function proxyFor(url: string): URL | null {
  // One in clear text is a trial on this machine.
  const text = url.startsWith("https:") ? getProxyForUrl(url) : "";
  if (text === "") return null;
  const proxy = URL.canParse(text) ? new URL(text) : null;
  if (proxy?.protocol === "http:" || proxy?.protocol === "https:") return proxy;
  throw new Error(`"${text.replace(/\/\/.*@/, "//…@")}" is not an http(s) URL`);
}

/** Sends requests over connections of its own. */
export interface ConnectionPool {
  readonly send: Send;
  /** Closes all connections and aborts their requests. */
  close(): void;
}

/** Persistent connections to edges. */
export class HttpPool implements ConnectionPool {
  readonly #plain: Http.Agent;
  readonly #secure: Http.Agent;
  readonly #newSecure: (options: Http.AgentOptions) => Http.Agent;
  readonly #underWay = new Set<Http.ClientRequest>();
  #isClosed = false;

  constructor({ connections, ca = null, proxy = null }: PoolOptions) {
    const options = {
      keepAlive: true,
      maxSockets: connections,
      maxFreeSockets: connections,
      timeout: IDLE_MS,
    };
    const secure = ca === null ? {} : { ca: trusted(ca) };
    this.#plain = new http.Agent(options);
    this.#newSecure = (more) =>
      proxy === null
        ? new https.Agent({ ...more, ...secure })
        : new TunnelAgent(proxy, { ...more, ...secure });
    this.#secure = this.#newSecure(options);
  }

  /**
   * If the other side had already closed the connection, sends an idempotent request once more on a new one.
   */
  readonly send: Send = async (request) => {
    try {
      return await this.#exchange(request, false);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      if (!request.idempotent || request.signal.aborted || this.#isClosed) throw error.cause;
      // Not on another idle connection: they may all be closed.
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
      const agent = isSecure ? (isAlone ? this.#newSecure({}) : this.#secure) : isAlone ? false : this.#plain;
      const request = (isSecure ? https : http).request({
        ...urlToHttpOptions(target),
        method,
        headers,
        agent,
      });
      this.#underWay.add(request);
      const giveUp = (): void => void request.destroy(new Error("the request was cancelled"));
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
      // Never removed: an error without a listener would end the process.
      request.on("error", (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && !hasResponse && WENT_AWAY.has(error.code ?? "");
        reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
      });
      request.on("close", () => {
        this.#underWay.delete(request);
        signal.removeEventListener("abort", giveUp);
        // No effect if the promise is already settled.
        reject(new Error("the connection ended before the response was complete"));
      });
      request.end(body ?? undefined);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const request of this.#underWay) request.destroy(new Error("the connections were closed"));
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** Node's own certificate authorities and further ones. */
const trusted = (ca: string): string[] => [...tls.rootCertificates, ca];

/** What is wrong with a PEM file of certificates; null if it can be used. */
export function certificateFault(pem: string): string | null {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0) return "it has no certificate";
  for (const [i, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      return `certificate ${i + 1} cannot be read: ${(error as Error).message}`;
    }
  }
  return null;
}

/** Error codes of a connection that the other side has closed. */
const WENT_AWAY: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** An idle connection was closed before a response arrived on it. */
class StaleConnection extends Error {}

const textOf = (value: string | readonly string[] | undefined): string | null =>
  typeof value === "string" ? value : (value?.join(", ") ?? null);

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { isOverTcp } from "../listeners/connections.ts";
import type { BridgeMetrics } from "./metrics.ts";

// Not imported: with an import, Node 24 also loads its WebSocket, which takes 12 MiB as long as the bridge runs.
const { createServer } = process.getBuiltinModule("node:http");

export interface MetricsServerOptions {
  readonly metrics: BridgeMetrics;
  /** Why the bridge cannot work, null if it can. */
  unready(): string | null;
  /** Whether a client of TCP may connect. */
  isAllowed(address: string | undefined): boolean;
}

/** A server of `/metrics`, `/healthz` and `/readyz` that does not listen yet. */
export function metricsServer(options: MetricsServerOptions): Server {
  return createServer((request, response) => {
    respond(options, request, response).catch(() => response.destroy());
  });
}

async function respond(
  { metrics, unready, isAllowed }: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (isOverTcp(request.socket) && !isAllowed(request.socket.remoteAddress)) {
    return end(response, 403, "allow_remote does not name this network\n");
  }
  const path = (request.url ?? "").split("?", 1)[0];
  if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405, "use GET\n");
  if (path === "/healthz") return end(response, 200, "ok\n");
  if (path === "/readyz") {
    const why = unready();
    return end(response, why === null ? 200 : 503, `${why ?? "ready"}\n`);
  }
  if (path !== "/metrics") return end(response, 404, "try /metrics, /healthz or /readyz\n");
  end(response, 200, await metrics.text(), metrics.contentType);
}

function end(
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(text);
}

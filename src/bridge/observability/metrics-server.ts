import type { IncomingMessage, ServerResponse } from "node:http";
import type { ListenAddress } from "../listeners/address.ts";
import { listen } from "../listeners/listen.ts";
import type { BridgeMetrics } from "./metrics.ts";

// Not imported: with an import, Node 24 also loads its WebSocket, which takes 12 MiB as long as the bridge runs.
const { createServer } = process.getBuiltinModule("node:http");

/** The listener for Prometheus and health checks. */
export interface MetricsServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`.
 * @param unready why the bridge cannot work, null if it can
 * @throws ListenError
 */
export async function serveMetrics(
  metrics: BridgeMetrics,
  unready: () => string | null,
  address: ListenAddress,
  socketMode: number,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    respond(metrics, unready, request, response).catch(() => response.destroy());
  });
  const bound = await listen(server, address, socketMode);
  return {
    address: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  metrics: BridgeMetrics,
  unready: () => string | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
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

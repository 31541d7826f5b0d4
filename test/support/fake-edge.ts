import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterAll } from "vitest";

export interface FakeEdge {
  readonly url: string;
  readonly requests: { method: string; path: string; headers: IncomingMessage["headers"]; body: string }[];
  /** What to do with the next requests. */
  respond: (request: { path: string; body: string }, response: ServerResponse) => void;
}

/** An HTTP server on loopback in place of an edge. */
export async function startFakeEdge(respond: FakeEdge["respond"]): Promise<FakeEdge> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      edge.requests.push({ method, path, headers, body });
      edge.respond({ path, body }, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const edge: FakeEdge = { url: `http://127.0.0.1:${port}`, requests: [], respond };
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return edge;
}

/** A page that a bot filter shows. */
export function challengePage(response: ServerResponse): void {
  response.writeHead(403, { "content-type": "text/html; charset=UTF-8", "cf-mitigated": "challenge" });
  response.end("<!DOCTYPE html><title>Just a moment...</title>");
}

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** An HTTP proxy in front of an edge. It counts what passes through it, and can take the edge away. */
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

export interface CountingProxy extends AsyncDisposable {
  readonly origin: string;
  /** Requests so far, by path. */
  readonly requests: () => ReadonlyMap<string, number>;
  /** Whether every connection is closed, as if the edge were away. */
  refuse(isAway: boolean): void;
}

/** @param target origin of the edge */
export async function countingProxy(target: string): Promise<CountingProxy> {
  const counts = new Map<string, number>();
  let isRefusing = false;
  const server = createServer((request, response) => {
    const { method, headers } = request;
    const url = new URL(request.url ?? "/", target);
    counts.set(url.pathname, (counts.get(url.pathname) ?? 0) + 1);
    const passed = send(url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response).catch(() => response.destroy());
    });
    passed.on("error", () => response.destroy());
    pipeline(request, passed).catch(() => passed.destroy());
  });
  server.on("connection", (socket) => {
    if (isRefusing) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => new Map(counts),
    refuse(isAway) {
      isRefusing = isAway;
      if (isAway) server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

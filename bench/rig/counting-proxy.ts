/** An HTTP proxy in front of an edge that counts what passes through it. */
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

export interface CountingProxy extends AsyncDisposable {
  readonly origin: string;
  /** Requests so far. */
  readonly requests: () => number;
}

/** @param target origin of the edge */
export async function countingProxy(target: string): Promise<CountingProxy> {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    const { method, headers } = request;
    const passed = send(new URL(request.url ?? "/", target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response).catch(() => response.destroy());
    });
    passed.on("error", () => response.destroy());
    pipeline(request, passed).catch(() => passed.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => count,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

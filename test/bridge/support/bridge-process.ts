import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterAll } from "vitest";
import { type ListenAddress, parseAddress } from "../../../src/bridge/index.ts";
import { type Running, startCli, temporaryFolder } from "../../support/processes.ts";
import { answerOf } from "./answers.ts";

/** What an edge on loopback does with a question about a recipient. */
export type Behaviour = (recipient: string, response: ServerResponse, request: IncomingMessage) => void;

/** As an edge does: users exist, others do not, and there are some of each other kind. */
export const working: Behaviour = (recipient, response) => {
  const local = recipient.split("@", 1)[0] as string;
  const verdict = local.startsWith("user") || local === "postmaster" ? "deliverable" : VERDICT_OF[local];
  const served = recipient.endsWith("@example.com");
  json(
    response,
    served
      ? answerOf(recipient, verdict ?? "unknown")
      : answerOf(recipient, "not-served", { generation: null }),
  );
};

const VERDICT_OF: Readonly<Record<string, "disabled" | "moved" | "departed" | "full">> = {
  disabled: "disabled",
  moved: "moved",
  departed: "departed",
  full: "full",
};

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** An HTTP server on loopback in the place of the edge, which can go away and come back on the same port. */
export class LoopbackEdge {
  behave: Behaviour = working;
  /** Connections that were made to it. */
  connections = 0;
  readonly asked: { recipient: string; floor: unknown }[] = [];
  #server: Server | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        if (request.method === "GET") {
          json(response, { domains: [] });
          return;
        }
        const { recipient, floor } = JSON.parse(body) as { recipient: string; floor: unknown };
        this.asked.push({ recipient, floor });
        this.behave(recipient, response, request);
      });
    });
    server.on("connection", () => {
      this.connections++;
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

export async function startEdge(): Promise<LoopbackEdge> {
  const edge = await new LoopbackEdge().start();
  afterAll(() => edge.stop());
  return edge;
}

/** A running `rollcall bridge` that is ready. */
export interface BridgeProcess {
  readonly running: Running;
  /** Address of the first listener of a name. */
  address(name: string): ListenAddress;
}

export const EVERY_LISTENER = ["--socketmap", "--policy", "--line", "--metrics"].flatMap((flag) => [
  flag,
  "127.0.0.1:0",
]);

export async function startBridge(
  url: string,
  args: readonly string[] = EVERY_LISTENER,
  options: { home?: string; node?: string; token?: string } = {},
): Promise<BridgeProcess> {
  const running = startCli(["bridge", ...args], {
    home: options.home ?? temporaryFolder(),
    env: { ROLLCALL_URL: url, ROLLCALL_TOKEN: options.token ?? "a-token-of-a-test" },
    ...(options.node === undefined ? {} : { node: options.node }),
  });
  await running.saying(/\bready\b.*\n/);
  return {
    running,
    address(name) {
      const shown = new RegExp(`^${name} on (\\S+)$`, "m").exec(running.stdout)?.[1] ?? "";
      const address = parseAddress(shown);
      if (typeof address === "string") throw new Error(`${name}: ${address}\n${running.stdout}`);
      return address;
    },
  };
}

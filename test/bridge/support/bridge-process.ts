import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterAll } from "vitest";
import { type ListenAddress, parseAddress } from "../../../src/bridge/index.ts";
import { freePort } from "../../../testing/ports.ts";
import { type Running, startCli, temporaryFolder } from "../../support/processes.ts";
import { answerOf } from "./answers.ts";
import { askOnce } from "./sockets.ts";
import { type Act, actOf, WAYS, type Way } from "./ways.ts";

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

/** An error of the API. */
export const refusing =
  (status: number, code: string): Behaviour =>
  (_, response) =>
    json(response, { error: { code, message: "no" } }, status);

/** An edge that answers after so many milliseconds. */
export const slow =
  (ms: number): Behaviour =>
  (recipient, response, request) =>
    void setTimeout(() => working(recipient, response, request), ms);

/** An HTTP server on loopback in place of the edge, which can stop and start again on the same port. */
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
    this.#port ||= await freePort();
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#server = server;
    return this;
  }

  /** Waits until it was asked so many times. */
  async wasAsked(times: number): Promise<void> {
    while (this.asked.length < times) await new Promise((done) => setTimeout(done, 10));
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
export class BridgeProcess {
  readonly running: Running;

  constructor(running: Running) {
    this.running = running;
  }

  /** Address of the first listener of a name. */
  address(name: string): ListenAddress {
    const shown = new RegExp(`^${name} on (\\S+)$`, "m").exec(this.running.stdout)?.[1] ?? "";
    const address = parseAddress(shown);
    if (typeof address === "string") throw new Error(`${name}: ${address}\n${this.running.stdout}`);
    return address;
  }

  /** Sends a question to a listener on a connection of its own. @returns the whole reply */
  send(listener: string, question: string): Promise<string> {
    return askOnce(this.address(listener), question);
  }

  /** What a mail server does with a recipient that asks in this way. */
  async act(way: string, recipient: string): Promise<Act> {
    const { listener, question, ...patterns } = WAYS[way] as Way;
    return actOf(patterns, await this.send(listener, question(recipient)));
  }

  /** A page of the metrics listener. */
  get(path: string): Promise<Response> {
    const { host, port } = this.address("metrics") as { host: string; port: number };
    return fetch(`http://${host}:${port}${path}`);
  }

  async metrics(): Promise<string> {
    return (await this.get("/metrics")).text();
  }
}

export const EVERY_LISTENER = ["--socketmap", "--policy", "--line", "--tcp", "--hooks", "--metrics"].flatMap(
  (flag) => [flag, "127.0.0.1:0"],
);

export interface BridgeProcessOptions {
  readonly home?: string;
  readonly node?: string;
  /** ROLLCALL_URL in place of the edge's; empty for none. */
  readonly url?: string;
  /** ROLLCALL_TOKEN; empty for none. */
  readonly token?: string;
  readonly env?: Record<string, string>;
}

export async function startBridge(
  url: string,
  args: readonly string[] = EVERY_LISTENER,
  options: BridgeProcessOptions = {},
): Promise<BridgeProcess> {
  const running = startCli(["bridge", ...args], {
    home: options.home ?? temporaryFolder(),
    env: {
      ROLLCALL_URL: options.url ?? url,
      ROLLCALL_TOKEN: options.token ?? "a-token-of-a-test",
      ...options.env,
    },
    ...(options.node === undefined ? {} : { node: options.node }),
  });
  await running.saying(/\bready\b.*\n/);
  return new BridgeProcess(running);
}

/** An edge on loopback, and a bridge in front of it. */
export async function startBoth(
  behave: Behaviour = working,
  args: readonly string[] = EVERY_LISTENER,
  options: BridgeProcessOptions = {},
): Promise<{ edge: LoopbackEdge; bridge: BridgeProcess }> {
  const edge = await startEdge();
  edge.behave = behave;
  return { edge, bridge: await startBridge(edge.url, args, options) };
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { DIALECTS, hookAnswer, hookRegistration, ROUTES } from "../../../src/api/index.ts";
import type { Answer } from "../../../src/directory/index.ts";
import { freePort } from "../../../testing/ports.ts";
import type { Cleanup } from "../../mta/support/cleanup.ts";
import type { CertificateName, Certificates } from "./certificates.ts";
import { about } from "./truth.ts";

/** In which form a request wants its answer. */
export interface Form {
  readonly name: "answer" | "hook";
  encode(answer: Answer): object;
  /** A word that clients of this form do not know as an action. */
  readonly unknownAction: string;
}

const ANSWER: Form = { name: "answer", encode: (answer) => answer, unknownAction: "discard" };
/** An MTA hook; `discard` is an action of its clients. */
const HOOK: Form = {
  name: "hook",
  encode: (answer) => hookAnswer(DIALECTS.stalwart, answer),
  unknownAction: "greylist",
};
/** A member that clients of the draft do not know makes the whole answer void. */
const DRAFT_HOOK: Form = { ...HOOK, encode: (answer) => hookAnswer(DIALECTS.draft, answer) };

/** What goes wrong with a request that came in whole. */
export type Misbehaviour = (truth: Answer, response: ServerResponse, form: Form) => void;

/**
 * An HTTP or HTTPS server in place of the edge: names that begin with "known" exist, others do
 * not. It misbehaves when it is told to, one request as another.
 */
export class EdgeFront {
  readonly checkToken = "token-of-a-test";
  misbehaviour: Misbehaviour | null = null;
  /** What it shows from the next {@link listen} on. */
  certificate: CertificateName = "good";
  readonly #certificates: Certificates | null;
  #server: Server | null = null;
  #port = 0;

  /** @param certificates null for HTTP */
  constructor(certificates: Certificates | null) {
    this.#certificates = certificates;
  }

  get url(): string {
    return `${this.#certificates === null ? "http" : "https"}://127.0.0.1:${this.#port}`;
  }

  /** Listens; again on the same port if it did before. */
  async listen(): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    const server =
      this.#certificates === null
        ? createServer(serve)
        : createSecureServer(this.#certificates.of[this.certificate], serve);
    server.on("connection", remember);
    this.#port ||= await freePort();
    await new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen(this.#port, "127.0.0.1", resolve),
    );
    this.#server = server;
  }

  /** Does not listen any more: connections are refused. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    request.setEncoding("utf8").on("error", () => undefined);
    for await (const text of request) body += text;
    if (request.headers["content-type"] === "text/plain") return this.#serveText(body, response);
    if (request.url === ROUTES.postHook.path) return this.#serveHook(body, response);
    if (request.url === ROUTES.registerHooks.path) {
      return sendJson(response, 201, hookRegistration("of-a-test", new Date().toISOString()));
    }
    const question = JSON.parse(body) as { recipient: string } | { recipients: string[] };
    // Only many questions at once come in one request; a fault concerns single ones.
    if ("recipients" in question) {
      return sendJson(response, 200, { results: question.recipients.map(truthAbout) });
    }
    this.#answer(question.recipient, response, ANSWER);
  }

  #serveHook(body: string, response: ServerResponse): void {
    const { envelope, context } = JSON.parse(body) as {
      readonly envelope: { readonly to: readonly { readonly address: string }[] };
      readonly context?: unknown;
    };
    const form = context === undefined ? DRAFT_HOOK : HOOK;
    this.#answer(envelope.to.at(-1)?.address ?? "", response, form);
  }

  #answer(recipient: string, response: ServerResponse, form: Form): void {
    const truth = truthAbout(recipient);
    if (this.misbehaviour === null) sendJson(response, 200, form.encode(truth));
    else this.misbehaviour(truth, response, form);
  }

  /** One recipient a line, and one reply line for each. A fault concerns the whole request. */
  #serveText(body: string, response: ServerResponse): void {
    const truths = body.trimEnd().split("\n").map(truthAbout);
    const [first] = truths as [Answer];
    if (this.misbehaviour === null) {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end(truths.map(({ reply }) => `${reply}\n`).join(""));
    } else this.misbehaviour(first, response, ANSWER);
  }
}

export async function startEdgeFront(
  cleanup: Cleanup,
  certificates: Certificates | null = null,
): Promise<EdgeFront> {
  const front = new EdgeFront(certificates);
  await front.listen();
  cleanup.add(() => front.close());
  return front;
}

const truthAbout = (recipient: string): Answer =>
  about(recipient, recipient.startsWith("known") ? "deliverable" : "unknown");

/** Connections as they are below TLS, by their ports. */
const connections = new Map<string, Socket>();
const portsOf = ({ localPort, remotePort }: Socket): string => `${localPort} ${remotePort}`;

function remember(socket: Socket): void {
  const ports = portsOf(socket);
  connections.set(ports, socket);
  socket.once("close", () => connections.delete(ports));
}

/** Resets the connection of a request, with TLS or without. */
export function reset({ socket }: ServerResponse): void {
  if (socket !== null) connections.get(portsOf(socket))?.resetAndDestroy();
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

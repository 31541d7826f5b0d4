import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  type Dialect,
  type Hook,
  type HookAnswer,
  hookAnswer,
  hookDeferral,
  JSON_PATCH,
  MAX_HOOK_BODY,
  namedDialect,
  ROUTES,
  readHook,
  unreadHook,
} from "../../api/index.ts";
import { firstOf } from "../../runtime/first-of.ts";
import type { BridgePorts } from "../ports.ts";
import { answerOther, HOOKS, type HttpAnswer } from "../protocols/hooks.ts";
import { replyLineOf } from "../protocols/reply.ts";
import type { ConnectionContext } from "./connection.ts";
import { isOverTcp, LAST_READ_MS, STOP_MS } from "./connections.ts";

// Not imported: see observability/metrics-server.ts.
const { createServer } = process.getBuiltinModule("node:http");

const { path: PATH, method: METHOD } = ROUTES.postHook;

/** How long a client may take to send a request, ms: as at the edge. */
const REQUEST_MS = 10_000;
/** How long a connection may be idle, ms. Longer than HTTP clients keep theirs, so that none meets one that is closing. */
const IDLE_MS = 300_000;

export interface HookServersOptions extends Pick<BridgePorts, "timers"> {
  readonly context: ConnectionContext;
  /** The wall clock, Unix milliseconds. */
  wall(): number;
  /** Whether a client of TCP may connect. @param address undefined if the client has already gone */
  isAllowed(address: string | undefined): boolean;
  /** Whether there are as many connections as there may be. */
  isFull(): boolean;
  /** A connection above the limit was closed. */
  rejected(served: typeof HOOKS): void;
  /** A connection from a network that may not connect was closed. */
  foreign(served: typeof HOOKS): void;
}

/**
 * The HTTP servers of MTA Hooks. A request that can be read as HTTP gets a well-formed answer, a deferral if nothing else:
 * a mail server may be set up to accept the recipient on an error.
 */
export class HookServers {
  readonly #options: HookServersOptions;
  /** Open connections, each with its server. */
  readonly #open = new Map<Socket, Server>();
  /** Those of them with a request under way. */
  readonly #busy = new Set<Socket>();
  readonly #closing = new Set<Server>();

  constructor(options: HookServersOptions) {
    this.#options = options;
  }

  /** Open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** A server that does not listen yet. */
  create(): Server {
    const server: Server = createServer(
      {
        keepAliveTimeout: IDLE_MS,
        requestTimeout: REQUEST_MS,
        headersTimeout: REQUEST_MS,
        connectionsCheckingInterval: REQUEST_MS / 2,
      },
      (request, response) => void this.#serve(server, request, response),
    );
    server.on("connection", (socket) => this.#accept(server, socket));
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      if (error.code?.startsWith("HPE_")) this.#options.context.malformed(HOOKS, "not HTTP");
    });
    // `close` calls this, and would lose a request that is on its way: `finish` closes idle connections later.
    server.closeIdleConnections = () => undefined;
    // Not documented, and as in every other listener: a client may end its side and still wait for the reply.
    return Object.assign(server, { httpAllowHalfOpen: true });
  }

  /** Answers what was asked through a server that listens no more, and closes its connections. */
  async finish(server: Server): Promise<void> {
    const { timers } = this.#options;
    this.#closing.add(server);
    await timers.sleep(LAST_READ_MS);
    for (const socket of this.#of(server)) if (!this.#busy.has(socket)) socket.destroy();
    await firstOf(timers, STOP_MS - LAST_READ_MS, () => this.#closed(this.#of(server)));
    for (const socket of this.#of(server)) socket.destroy();
    this.#closing.delete(server);
  }

  /** Resolves when every connection has ended. */
  ended(): Promise<void> {
    return this.#closed([...this.#open.keys()]);
  }

  #of(server: Server): Socket[] {
    return [...this.#open].filter(([, its]) => its === server).map(([socket]) => socket);
  }

  async #closed(sockets: readonly Socket[]): Promise<void> {
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  #accept(server: Server, socket: Socket): void {
    const { isAllowed, isFull, rejected, foreign } = this.#options;
    if (isOverTcp(socket) && !isAllowed(socket.remoteAddress)) {
      socket.destroy();
      foreign(HOOKS);
    } else if (isFull()) {
      socket.destroy();
      rejected(HOOKS);
    } else {
      this.#open.set(socket, server);
      socket.once("close", () => this.#open.delete(socket));
    }
  }

  async #serve(server: Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    // Answers of one connection leave in the order of their requests, so that this one's would wait and age (law 2).
    const isPipelined = this.#busy.has(socket);
    this.#busy.add(socket);
    response.once("close", () => this.#busy.delete(socket));
    try {
      const { status, body, allow } = isPipelined ? this.#pipelined(request) : await this.#answer(request);
      const text = JSON.stringify(body);
      response.writeHead(status, {
        "content-type": Array.isArray(body) ? JSON_PATCH : "application/json",
        "content-length": text.length,
        "cache-control": "no-store",
        ...(allow === undefined ? {} : { allow }),
        ...(this.#closing.has(server) ? { connection: "close" } : {}),
      });
      response.end(text);
    } catch (error) {
      // The client has gone, or stopped halfway through its request.
      if (!request.complete) response.destroy();
      else {
        this.#options.context.fault(error);
        response.destroy();
      }
    }
  }

  async #answer(request: IncomingMessage): Promise<HttpAnswer> {
    const body = await bodyOf(request);
    const { url = "", method = "" } = request;
    const [path = ""] = url.split("?", 1);
    if (path !== PATH || method !== METHOD) {
      return answerOther(method, path, body, () => new Date(this.#options.wall()).toISOString());
    }
    const named = dialectOf(request);
    const hook =
      body === null
        ? unreadHook(`the body has more than ${MAX_HOOK_BODY} octets`, named)
        : readHook(body, named);
    return { status: 200, body: await this.#answerHook(hook, request.socket) };
  }

  #pipelined(request: IncomingMessage): HttpAnswer {
    const why = "one request at a time: the request before has no answer yet";
    return { status: 200, body: this.#refuse(unreadHook(why, dialectOf(request)), why) };
  }

  #answerHook(hook: Hook, client: Socket): HookAnswer | Promise<HookAnswer> {
    switch (hook.kind) {
      case "ask":
        return this.#judge(hook, hook.recipient, client);
      case "other":
        this.#options.context.answered(HOOKS, "no-recipient", 0);
        return hook.dialect();
      case "fault":
        return this.#refuse(hook, hook.why);
    }
  }

  #refuse(hook: Hook, why: string): HookAnswer {
    const { context } = this.#options;
    context.malformed(HOOKS, why);
    context.answered(HOOKS, "invalid", 0);
    return hookDeferral(hook.dialect, why);
  }

  async #judge(hook: Hook, recipient: string, client: Socket): Promise<HookAnswer> {
    const { context } = this.#options;
    const asked = context.clock.now();
    try {
      const settled = context.resolve(recipient, asked, client);
      const resolution = settled instanceof Promise ? await settled : settled;
      const now = context.clock.now();
      context.answered(HOOKS, resolution, now - asked);
      const { answer, until } = resolution;
      if (until !== undefined && now >= until) return hookDeferral(hook.dialect, "the refusal has expired");
      return hookAnswer(hook.dialect, { ...answer, reply: replyLineOf(answer) });
    } catch (error) {
      context.fault(error);
      return hookDeferral(hook.dialect, "internal error in the bridge");
    }
  }
}

/** The dialect that the headers of a request name. A header that is repeated has its values joined. */
const dialectOf = ({ headers }: IncomingMessage): Dialect | null =>
  namedDialect((name) => headers[name]?.toString());

/** The body as text; null if it is too long. The rest is read and dropped: a client reads no answer while it writes. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length <= MAX_HOOK_BODY) pieces.push(piece);
    else pieces = [];
  }
  return length > MAX_HOOK_BODY ? null : Buffer.concat(pieces).toString("utf8");
}

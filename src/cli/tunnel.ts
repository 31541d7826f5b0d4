/** TLS connections through an HTTP proxy (CONNECT). */
import type * as Http from "node:http";
import type * as Https from "node:https";
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";

// Not imported: see http.ts.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");
const tls = process.getBuiltinModule("node:tls");

/**
 * How long a proxy may take to open a tunnel, ms. Node does not close a connection of an agent before it is open, even if
 * its request was cancelled, so a silent proxy would otherwise hold it for ever.
 */
const CONNECT_MS = 5_000;

/** An agent whose connections go through a proxy. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #ca: string[] | undefined;

  /** @param proxy its URL, `http` or `https`, with user and password if it needs them */
  constructor(proxy: URL, options: Https.AgentOptions & { readonly ca?: string[] }) {
    super(options);
    this.#proxy = proxy;
    this.#ca = options.ca;
  }

  override createConnection(
    options: Http.ClientRequestArgs & ConnectionOptions,
    callback: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const failed = (error: Error): void => callback(error, undefined as unknown as Duplex);
    const request = this.#connectTo(`${bracketed(options.host ?? "")}:${options.port}`);
    request.once("connect", (response, socket, head) => {
      if (response.statusCode !== 200 || head.length > 0) {
        socket.destroy();
        failed(new Error(`the proxy refuses to connect: HTTP ${response.statusCode}`));
        return;
      }
      socket.setTimeout(0);
      // Not the path of the request: for TLS it would be that of a unix socket.
      callback(null, tls.connect({ ...options, path: undefined, socket }));
    });
    request.once("timeout", () =>
      request.destroy(new Error(`the proxy did not answer within ${CONNECT_MS / 1000} s`)),
    );
    request.once("error", failed);
    request.end();
  }

  #connectTo(authority: string): Http.ClientRequest {
    const { protocol, hostname, port, username, password } = this.#proxy;
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return (protocol === "https:" ? https : http).request({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port || (protocol === "https:" ? 443 : 80),
      method: "CONNECT",
      path: authority,
      headers: {
        host: authority,
        ...(username === ""
          ? {}
          : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }),
      },
      timeout: CONNECT_MS,
      agent: false,
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
    });
  }
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

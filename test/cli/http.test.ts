import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { HttpPool } from "../../src/cli/http.ts";
import { ClientError, type HttpRequest } from "../../src/client/index.ts";
import { startCli, temporaryFolder } from "../support/processes.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Served {
  readonly url: string;
  readonly sockets: Socket[];
  requests: number;
}

async function listening(server: Server, scheme: string, host: string): Promise<Served> {
  const served = { url: "", sockets: [] as Socket[], requests: 0 };
  server.on("connection", (socket: Socket) => served.sockets.push(socket));
  server.on("request", () => {
    served.requests++;
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(served, { url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}/` });
}

const serve = (respond: RequestListener, host = "127.0.0.1"): Promise<Served> =>
  listening(createServer(respond), "http", host);

function newPool(connections = 4): HttpPool {
  const pool = new HttpPool({ connections });
  ends.push(() => pool.close());
  return pool;
}

const asking = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url,
  headers: { "x-asked": "yes" },
  body: "question",
  idempotent: true,
  limit: 1000,
  signal: new AbortController().signal,
  ...more,
});

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Gives the request's header and body back. */
const echo: RequestListener = (request, response) => {
  let body = "";
  request.on("data", (piece) => {
    body += piece;
  });
  request.on("end", () => {
    response.writeHead(200, { "x-answer": "one", "set-cookie": ["a", "b"] });
    response.end(
      `${request.method} ${request.headers["x-asked"]} ${request.headers["content-length"]} ${body}`,
    );
  });
};

/** Ends a connection with a reset once it is asked again on it. */
const resetsWhatIsReused =
  (answered = new Set<Socket>()): RequestListener =>
  (request, response) => {
    if (answered.has(request.socket)) return void request.socket.resetAndDestroy();
    answered.add(request.socket);
    response.end("answer");
  };

describe("a pool of connections", () => {
  it("sends and receives headers and bodies over one connection", async () => {
    const edge = await serve(echo);
    const pool = newPool();
    for (let i = 0; i < 3; i++) {
      const reply = await pool.send(asking(edge.url));
      expect(reply.status).toBe(200);
      expect(textOf(reply.bytes)).toBe("POST yes 8 question");
      expect([reply.header("x-answer"), reply.header("set-cookie")]).toEqual(["one", "a, b"]);
      expect(reply.header("x-other")).toBeNull();
    }
    expect(edge.sockets).toHaveLength(1);
  });

  it("works over IPv6", async () => {
    const edge = await serve(echo, "::1");
    expect((await newPool().send(asking(edge.url, { method: "GET", body: null }))).status).toBe(200);
  });

  it("opens no more connections than allowed", async () => {
    const edge = await serve((_, response) => void setTimeout(() => response.end("late"), 20));
    const pool = newPool(2);
    await Promise.all(Array.from({ length: 8 }, () => pool.send(asking(edge.url))));
    expect([edge.sockets.length, edge.requests]).toEqual([2, 8]);
  });

  it("does not follow redirects", async () => {
    const elsewhere = await serve(echo);
    const edge = await serve((_, response) => response.writeHead(307, { location: elsewhere.url }).end());
    const reply = await newPool().send(asking(edge.url));
    expect([reply.status, reply.header("location"), elsewhere.requests]).toEqual([307, elsewhere.url, 0]);
  });

  it("reads no more octets than allowed", async () => {
    const edge = await serve((_, response) => response.end("x".repeat(1001)));
    const error = await newPool()
      .send(asking(edge.url))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({ kind: "protocol", status: 200 });
    const whole = await newPool().send(asking(edge.url, { limit: 1001 }));
    expect(whole.bytes).toHaveLength(1001);
  });

  it.each<[string, RequestListener]>([
    ["before a response", () => undefined],
    ["within a response", (_, response) => void response.writeHead(200).write("{")],
  ])("aborts at once, %s", async (_, respond) => {
    const edge = await serve(respond);
    const stop = new AbortController();
    const sent = newPool().send(asking(edge.url, { signal: stop.signal }));
    setTimeout(() => stop.abort("enough"), 50);
    await expect(sent).rejects.toThrow();
    const gone = edge.sockets[0] as Socket;
    await expect.poll(() => gone.destroyed).toBe(true);
    expect(edge.requests).toBe(1);
  });

  it("does not send a request that is already aborted", async () => {
    const edge = await serve(echo);
    await expect(newPool().send(asking(edge.url, { signal: AbortSignal.abort() }))).rejects.toThrow();
    expect(edge.requests).toBe(0);
  });

  it("rejects a truncated response without a retry", async () => {
    const edge = await serve((_, response) => {
      response.writeHead(200, { "content-length": 99 });
      response.write("half", () => response.destroy());
    });
    await expect(newPool().send(asking(edge.url))).rejects.toThrow();
    expect(edge.requests).toBe(1);
  });

  it("rejects if a new connection breaks, without a retry", async () => {
    const edge = await serve((request) => void request.socket.resetAndDestroy());
    await expect(newPool().send(asking(edge.url))).rejects.toThrow("ECONNRESET");
    expect(edge.requests).toBe(1);
  });

  it("retries once on a new connection if an idle one is reset, even if others are idle", async () => {
    const edge = await serve(resetsWhatIsReused());
    const pool = newPool(2);
    await Promise.all([pool.send(asking(edge.url)), pool.send(asking(edge.url))]);
    await delay(20);
    expect(textOf((await pool.send(asking(edge.url))).bytes)).toBe("answer");
    expect(edge.requests).toBe(4);
  });

  it("does not retry a request that is not idempotent", async () => {
    const edge = await serve(resetsWhatIsReused());
    const pool = newPool();
    await pool.send(asking(edge.url));
    await delay(20);
    await expect(pool.send(asking(edge.url, { idempotent: false }))).rejects.toThrow("ECONNRESET");
    expect(edge.requests).toBe(2);
  });

  it("opens another connection if the edge has closed the idle one", async () => {
    const edge = await serve(echo);
    const pool = newPool();
    await pool.send(asking(edge.url));
    edge.sockets[0]?.end();
    await delay(50);
    expect((await pool.send(asking(edge.url, { idempotent: false }))).status).toBe(200);
    expect(edge.sockets).toHaveLength(2);
  });

  it("aborts requests in progress when it is closed, and accepts no more", async () => {
    const edge = await serve(() => undefined);
    const pool = newPool();
    const sent = pool.send(asking(edge.url));
    const closed = expect(sent).rejects.toThrow("closed");
    await expect.poll(() => edge.requests).toBe(1);
    pool.close();
    await closed;
    await expect(pool.send(asking(edge.url))).rejects.toThrow("closed");
  });

  it("works over TLS, with trusted certificates only", async () => {
    const folder = temporaryFolder();
    const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-keyout", files.key, "-out", files.cert, "-days", "2", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=IP:127.0.0.1"],
      ],
      { stdio: "ignore" },
    );
    const respond: RequestListener = (_, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end('{"status":"ok"}');
    const tls = { key: readFileSync(files.key), cert: readFileSync(files.cert) };
    const edge = await listening(createSecureServer(tls, respond), "https", "127.0.0.1");
    await expect(newPool().send(asking(edge.url))).rejects.toThrow(/self-signed/);
    expect(edge.requests).toBe(0);
    const bridge = async (env: Record<string, string>): Promise<string> => {
      const running = startCli(["bridge", "--socketmap", "127.0.0.1:0"], {
        home: folder,
        env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "t", ...env },
      });
      await running.saying(/\bready\b/);
      const port = Number(/socketmap on 127\.0\.0\.1:(\d+)/.exec(running.stdout)?.[1]);
      const { askOnce, netstring } = await import("../bridge/support/sockets.ts");
      await askOnce({ kind: "tcp", host: "127.0.0.1", port }, netstring("recipients user@example.com"));
      return (await running.stop()).stderr;
    };
    // The stranger's answer is none, and that is said only if he was trusted.
    expect(await bridge({})).toMatch(/self-signed/);
    expect(await bridge({ NODE_EXTRA_CA_CERTS: files.cert })).toMatch(/"fault":"protocol"/);
    expect(edge.requests).toBe(1);
  });
});

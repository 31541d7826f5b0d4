import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request as forward, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { HttpPool, proxyFor } from "../../src/cli/http.ts";
import type { HttpRequest } from "../../src/client/index.ts";
import { answerOf } from "../bridge/support/answers.ts";
import { BridgeProcess } from "../bridge/support/bridge-process.ts";
import { FULL, ifFull } from "../support/full.ts";
import { NODE_20, startCli, startDev, temporaryFolder } from "../support/processes.ts";

/*
 * Behind a proxy: HTTPS_PROXY and NO_PROXY, and a certificate authority of one's own (ca_file, --ca-file).
 */

const SLOW = 180_000;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const files = { folder: "", key: "", cert: "" };

beforeAll(() => {
  const folder = temporaryFolder();
  Object.assign(files, { folder, key: join(folder, "key.pem"), cert: join(folder, "cert.pem") });
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", files.key, "-out", files.cert, "-days", "2", "-subj", "/CN=edge.example"],
      ...["-addext", "subjectAltName=DNS:edge.example,IP:127.0.0.1"],
    ],
    { stdio: "ignore" },
  );
});

/** An edge with TLS, whose name only the proxy can resolve. */
async function startEdge(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const port = await listening(
    createSecureServer(
      { key: readFileSync(files.key), cert: readFileSync(files.cert) },
      (request, response) => {
        let body = "";
        request.on("data", (part) => {
          body += part;
        });
        request.on("end", () => {
          const { recipient } = JSON.parse(body) as { recipient: string };
          asked.push(recipient);
          response.writeHead(200, { "content-type": "application/json" });
          response.end(JSON.stringify(answerOf(recipient, "deliverable")));
        });
      },
    ),
  );
  return { port, asked };
}

/** A real proxy: CONNECT opens a tunnel to a port of this machine. It may refuse, or say nothing. */
async function startProxy(to: number, behaviour: "tunnel" | "refuse" | "silent" = "tunnel") {
  let present = behaviour;
  const seen: { target: string | undefined; credentials: string | undefined }[] = [];
  const open = new Set<Socket>();
  const server = createServer((_, response) => void response.writeHead(400).end());
  server.on("connect", (request, client: Socket, head: Buffer) => {
    seen.push({ target: request.url, credentials: request.headers["proxy-authorization"] });
    open.add(client);
    client.on("error", () => undefined);
    if (present === "refuse") client.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    if (present !== "tunnel") return;
    const upstream = connect(to, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
  });
  ends.push(() => {
    for (const socket of open) socket.destroy();
  });
  const behave = (next: typeof present): void => {
    present = next;
  };
  return { port: await listening(server), seen, open, behave };
}

async function startBridge(env: Record<string, string>, args: readonly string[] = [], node?: string) {
  const running = startCli(["bridge", "--line", "127.0.0.1:0", ...args], {
    home: files.folder,
    env: { ROLLCALL_TOKEN: "secret-token", ...env },
    ...(node === undefined ? {} : { node }),
  });
  await running.saying(/\bready\b.*\n/);
  ends.push(() => running.stop());
  return new BridgeProcess(running);
}

describe("a bridge behind a proxy", { timeout: SLOW }, () => {
  it.each([
    ["this Node", undefined],
    ["Node 20", NODE_20],
  ])("reaches the edge through it, and trusts its ca_file (%s)", async (_, node) => {
    const edge = await startEdge();
    const proxy = await startProxy(edge.port);
    const bridge = await startBridge(
      {
        ROLLCALL_URL: `https://edge.example:${edge.port}`,
        HTTPS_PROXY: `http://user:pass@127.0.0.1:${proxy.port}`,
      },
      ["--ca-file", "cert.pem"],
      node,
    );
    for (let i = 0; i < 3; i++) expect(await bridge.act("line", `user${i}@example.com`)).toBe("accept");
    expect(edge.asked).toHaveLength(3);
    // One tunnel for all of them. The proxy never sees the token: that is inside TLS.
    expect(proxy.seen).toEqual([
      {
        target: `edge.example:${edge.port}`,
        credentials: `Basic ${Buffer.from("user:pass").toString("base64")}`,
      },
    ]);
  });

  it("goes past it to hosts that NO_PROXY names", async () => {
    const edge = await startEdge();
    const proxy = await startProxy(edge.port);
    const bridge = await startBridge(
      {
        ROLLCALL_URL: `https://127.0.0.1:${edge.port}`,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
        NO_PROXY: "localhost,127.0.0.1",
      },
      ["--ca-file", files.cert],
    );
    expect(await bridge.act("line", "user@example.com")).toBe("accept");
    expect(proxy.seen).toEqual([]);
  });

  it.each(["refuse", "silent"] as const)("defers if the proxy does not help (%s)", async (behaviour) => {
    const edge = await startEdge();
    const proxy = await startProxy(edge.port, behaviour);
    const bridge = await startBridge(
      { ROLLCALL_URL: `https://edge.example:${edge.port}`, https_proxy: `http://127.0.0.1:${proxy.port}` },
      ["--ca-file", files.cert, "--timeout", "0.5"],
    );
    expect(await bridge.act("line", "user@example.com")).toBe("defer");
    expect(proxy.seen.length).toBeGreaterThan(0);
    await bridge.running.logging(/"fault":"unreachable"/);
    expect(edge.asked).toEqual([]);
  });

  it("does not trust a certificate of an authority that ca_file does not name", async () => {
    const edge = await startEdge();
    const proxy = await startProxy(edge.port);
    const bridge = await startBridge({
      ROLLCALL_URL: `https://edge.example:${edge.port}`,
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    });
    expect(await bridge.act("line", "user@example.com")).toBe("defer");
    expect(bridge.running.stderr).toMatch(/self-signed/);
    expect(edge.asked).toEqual([]);
  });

  it("names a proxy that is no URL", async () => {
    const running = startCli(["bridge", "--line", "127.0.0.1:0"], {
      home: files.folder,
      env: { ROLLCALL_URL: "https://edge.example", ROLLCALL_TOKEN: "t", HTTPS_PROXY: "proxy example" },
    });
    const { code, stderr } = await running.ended;
    expect(stderr).toMatch(
      /error: HTTPS_PROXY cannot be used: "https:\/\/proxy example" is not an http\(s\) URL\nwhat to do: /,
    );
    expect(code).toBe(2);
  });
});

/** TLS in front of a real edge. */
async function startSecureEdge(url: string): Promise<number> {
  const options = { key: readFileSync(files.key), cert: readFileSync(files.cert) };
  return listening(
    createSecureServer(options, (request, response) => {
      const { method, headers, url: path } = request;
      const forwarded = forward(`${url}${path}`, { method, headers }, (reply) => {
        response.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(response);
      });
      request.pipe(forwarded);
    }),
  );
}

describe("the other commands behind a proxy", { timeout: SLOW }, () => {
  const reachTheEdge = async (_: string, node: string | undefined): Promise<void> => {
    const home = temporaryFolder();
    const dev = await startDev("state", { home });
    ends.push(() => dev.process.stop());
    const proxy = await startProxy(await startSecureEdge(dev.url));
    const run = (proxyUrl: string, ...args: string[]) =>
      startCli(args, {
        home,
        env: {
          ROLLCALL_URL: "https://edge.example",
          ROLLCALL_TOKEN: readFileSync(join(home, "state", "admin-token"), "utf8").trim(),
          HTTPS_PROXY: proxyUrl,
        },
        ...(node === undefined ? {} : { node }),
      }).ended;
    // Enough for several shards, each of which is uploaded.
    const names = Array.from({ length: 20_000 }, (__, i) => `user${i}@a.example\n`);
    writeFileSync(join(home, "list.txt"), names.join(""));
    const proxyUrl = `http://127.0.0.1:${proxy.port}`;
    const ca = ["--ca-file", files.cert];
    const published = await run(
      proxyUrl,
      "publish",
      "--domain",
      "a.example",
      "list.txt",
      "--enforce",
      "--yes",
      ...ca,
    );
    expect(published).toMatchObject({ code: 0, stdout: expect.stringContaining("published a.example") });
    const checked = await run(proxyUrl, "check", "user7@a.example", "nobody@a.example", ...ca);
    expect(checked.stdout).toMatch(/deliverable[\s\S]*unknown/);
    expect((await run(proxyUrl, "status", ...ca)).stdout).toContain("a.example");
    if (node === undefined) {
      expect((await run(proxyUrl, "doctor", ...ca)).stdout).toContain("everything works");
    }
    expect(proxy.seen.map(({ target }) => target)).toContain("edge.example:443");

    expect(await run(proxyUrl, "status")).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/self-signed|certificate/),
    });
    expect(await run("no proxy", "status", ...ca)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("HTTPS_PROXY cannot be used"),
    });
    expect(await run(proxyUrl, "status", "--ca-file", "none.pem")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("--ca-file cannot be read"),
    });
    proxy.behave("refuse");
    expect(await run(proxyUrl, "status", ...ca)).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("the proxy refuses to connect: HTTP 403"),
    });
  };
  const title = "reach the edge through it, and trust --ca-file (%s)";
  it.each([["this Node", undefined]])(title, reachTheEdge);
  it.runIf(FULL).each([["Node 20", NODE_20]])(ifFull(title), reachTheEdge);
});

describe("ca_file", { timeout: SLOW }, () => {
  it("is used without a proxy, too, from the folder of the settings file", async () => {
    const edge = await startEdge();
    writeFileSync(join(files.folder, "own.toml"), '[bridge]\nca_file = "cert.pem"\n');
    const bridge = await startBridge({ ROLLCALL_URL: `https://127.0.0.1:${edge.port}` }, [
      "--config",
      join(files.folder, "own.toml"),
    ]);
    expect(await bridge.act("line", "user@example.com")).toBe("accept");
  });

  it.each([
    ["none.pem", /--ca-file cannot be read: ENOENT/],
    ["key.pem", /--ca-file key\.pem is not a PEM file of certificates: it has no certificate/],
    ["half.pem", /half\.pem is not a PEM file of certificates: certificate 1 cannot be read: /],
  ])("that cannot be used (%s) is named", async (name, message) => {
    const text = readFileSync(files.cert, "utf8");
    writeFileSync(
      join(files.folder, "half.pem"),
      text.replace(/(BEGIN CERTIFICATE-----\n.{20})[^-]*/, "$1\n"),
    );
    const { code, stderr } = await startCli(
      ["bridge", "--line", "127.0.0.1:0", "--ca-file", name, "--check-config"],
      {
        home: files.folder,
        env: { ROLLCALL_URL: "https://edge.example", ROLLCALL_TOKEN: "t" },
      },
    ).ended;
    expect(stderr).toMatch(message);
    expect(code).toBe(3);
  });
});

describe("the proxy for a URL", () => {
  const names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
  const before = names.map((name) => process.env[name]);
  afterEach(() => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  });

  it.each([
    [{}, null],
    [{ HTTPS_PROXY: "http://proxy.example:3128" }, "http://proxy.example:3128/"],
    [{ https_proxy: "https://u:p@proxy.example" }, "https://u:p@proxy.example/"],
    [{ HTTPS_PROXY: "http://proxy.example", NO_PROXY: ".example.org" }, null],
    [{ HTTPS_PROXY: "http://proxy.example", NO_PROXY: "example.net,*" }, null],
    [{ HTTPS_PROXY: "http://proxy.example", NO_PROXY: "example.net" }, "http://proxy.example/"],
  ])("comes from %j", (env, proxy) => {
    for (const name of names) delete process.env[name];
    Object.assign(process.env, env);
    expect(proxyFor("https://edge.example.org")?.href ?? null).toBe(proxy);
    expect(proxyFor("http://127.0.0.1:9")).toBeNull();
  });

  it("is refused, without its password, if it is of another kind", () => {
    for (const name of names) delete process.env[name];
    process.env.HTTPS_PROXY = "socks5://user:secret@proxy.example";
    expect(() => proxyFor("https://edge.example.org")).toThrow(
      '"socks5://…@proxy.example" is not an http(s) URL',
    );
  });
});

describe("requests through a proxy", { timeout: SLOW }, () => {
  const asking = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "POST",
    url,
    headers: {},
    body: JSON.stringify({ recipient: "user@example.com" }),
    idempotent: true,
    limit: 10_000,
    signal: new AbortController().signal,
    ...more,
  });

  function pool(port: number): HttpPool {
    const proxy = new URL(`http://127.0.0.1:${port}`);
    const made = new HttpPool({ connections: 1, ca: readFileSync(files.cert, "utf8"), proxy });
    ends.push(() => made.close());
    return made;
  }

  it("that a silent proxy leaves open end after five seconds, and block no other", async () => {
    const edge = await startEdge();
    const silent = await startProxy(edge.port, "silent");
    const connections = pool(silent.port);
    const url = `https://edge.example:${edge.port}/v1/rcpt`;
    const over = new AbortController();
    const cancelled = connections.send(asking(url, { signal: over.signal }));
    const waiting = connections.send(asking(url));
    const late = [cancelled, waiting].map((sent) => expect(sent).rejects.toThrow());
    await expect.poll(() => silent.open.size).toBeGreaterThan(0);
    over.abort("late");
    await Promise.all(late);
    // The proxy answers again: the pool of one connection has room.
    silent.behave("tunnel");
    expect((await connections.send(asking(url))).status).toBe(200);
  });

  it("are sent once more if the connection was closed meanwhile, and read no more than the limit", async () => {
    const edge = await startEdge();
    const proxy = await startProxy(edge.port);
    const connections = pool(proxy.port);
    const url = `https://edge.example:${edge.port}/v1/rcpt`;
    expect((await connections.send(asking(url))).status).toBe(200);
    for (const socket of proxy.open) socket.destroy();
    expect((await connections.send(asking(url))).status).toBe(200);
    await expect(connections.send(asking(url, { limit: 10 }))).rejects.toThrow(/10/);
    connections.close();
    await expect(connections.send(asking(url))).rejects.toThrow();
  });
});

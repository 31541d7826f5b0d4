import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { drive, type Load, lacksWrk } from "../../bench/rig/wrk.ts";

const LOAD: Load = {
  token: "secret",
  method: "POST",
  prefix: "user",
  names: 50,
  expects: ['"recipient":"user', '"verdict":"deliverable"'],
  connections: 2,
};

const answerTo = (recipient: string): string => `{"recipient":"${recipient}","verdict":"deliverable"}`;

describe.skipIf(lacksWrk().length > 0)("the load", () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Serves what `answer` makes of a request's path, headers and body. */
  async function serve(answer: (path: string, token: string, body: string) => string): Promise<string> {
    server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.end(answer(request.url ?? "", request.headers.authorization ?? "", body));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("posts one recipient, drawn for each request, with the token", async () => {
    const seen = new Set<string>();
    const origin = await serve((path, token, body) => {
      const { recipient } = JSON.parse(body) as { recipient: string };
      seen.add(recipient);
      return path === "/v1/rcpt" && token === "Bearer secret" ? answerTo(recipient) : "{}";
    });
    const { rate, requests } = await drive(origin, LOAD, 1);
    expect(rate).toBeGreaterThan(0);
    expect(requests).toBeGreaterThan(50);
    expect([...seen].every((name) => /^user(?:[0-9]|[1-4][0-9])@bench\.example$/.test(name))).toBe(true);
    expect(seen.size).toBeGreaterThan(20);
  });

  it("gets one recipient by its path", async () => {
    const origin = await serve((path) => answerTo(decodeURIComponent(path.slice("/v1/rcpt/".length))));
    await drive(origin, { ...LOAD, method: "GET", domain: "d%.example", domains: 3 }, 1);
  });

  it("needs the text of a batch once for each recipient", async () => {
    const answers = (less: number) => (_path: string, _token: string, body: string) =>
      (JSON.parse(body) as string[]).slice(less).map(answerTo).join();
    await drive(await serve(answers(0)), { ...LOAD, batch: 10 }, 1);
    server?.closeAllConnections();
    server?.close();
    await expect(drive(await serve(answers(1)), { ...LOAD, batch: 10 }, 1)).rejects.toThrow("load failed");
  });

  it("fails if one of many answers is wrong", async () => {
    let count = 0;
    const origin = await serve((_path, _token, body) =>
      ++count === 20
        ? '{"verdict":"unknown"}'
        : answerTo((JSON.parse(body) as { recipient: string }).recipient),
    );
    await expect(drive(origin, LOAD, 1)).rejects.toThrow(/load failed[\s\S]*\{"verdict":"unknown"\}/);
  });
});

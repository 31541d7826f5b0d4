import { beforeAll, describe, expect, it } from "vitest";
import { type ErrorBody, EVERY_ROUTE, type Health, VERSION } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import type { Env } from "../../src/edge/worker.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";
import { RIGHTS } from "./support/matrix.ts";

const env = freshEnv();

beforeAll(async () => {
  await publish(env, "a.example", ["alice"]);
});

const SHORT_KEY = "c2hvcnQtbWFzdGVyLWtleQ";

describe("secrets", () => {
  it("work in either spelling of base64, and with a line break at their end", async () => {
    const { ROLLCALL_MASTER_KEY = "", ROLLCALL_ADMIN_TOKEN = "" } = env as unknown as Record<string, string>;
    const standard = btoa(atob(ROLLCALL_MASTER_KEY.replaceAll("-", "+").replaceAll("_", "/")));
    const other = freshEnv({
      ROLLCALL_MASTER_KEY: `${standard}\n`,
      ROLLCALL_ADMIN_TOKEN: `${ROLLCALL_ADMIN_TOKEN}\n`,
    });
    expect(standard).toMatch(/=$/);
    const answer = await callJson<Answer>(other, "/v1/rcpt", { json: { recipient: "alice@a.example" } });
    expect(answer.verdict).toBe("deliverable");
  });
});

describe("an invalid configuration", () => {
  it.each<[string, keyof Env, unknown, string]>([
    ["its master key is missing", "ROLLCALL_MASTER_KEY", undefined, "secret is missing"],
    ["its master key is empty", "ROLLCALL_MASTER_KEY", "", "secret is missing"],
    ["its master key is no base64", "ROLLCALL_MASTER_KEY", "neither spelling!", "is not base64"],
    ["its master key is too short", "ROLLCALL_MASTER_KEY", SHORT_KEY, "has 16 bytes instead of 32"],
    ["its master key is too long", "ROLLCALL_MASTER_KEY", SHORT_KEY.repeat(4), "bytes instead of 32"],
    ["its admin token is missing", "ROLLCALL_ADMIN_TOKEN", undefined, "secret is missing"],
    ["its admin token is empty", "ROLLCALL_ADMIN_TOKEN", "", "secret is missing"],
    ["its admin token can be guessed", "ROLLCALL_ADMIN_TOKEN", "hunter2-hunter2", "at least 24 characters"],
    ["its KV is missing", "ROLLCALL_KV", undefined, "binding is missing"],
    ["its KV is a text", "ROLLCALL_KV", "namespace-id-as-text", "binding is missing"],
    ["its Registry is missing", "REGISTRY", undefined, "binding is missing"],
    ["its window is a word", "ROLLCALL_WINDOW", "half-an-hour", "whole number from 2 to 3600"],
    ["its window is too long", "ROLLCALL_WINDOW", "3601", "whole number from 2 to 3600"],
    ["its partitions are none", "ROLLCALL_PARTITIONS", "0.5", "whole number from 1 to 256"],
    ["its history is too short", "ROLLCALL_HISTORY_DAYS", "-99", "whole number from 2 to 365"],
    ["its KV writes are too few", "ROLLCALL_KV_WRITES", "-17", "whole number from 100 to 1000000000"],
  ])("is reported on every route, without the value: %s", async (_, name, value, why) => {
    const broken = freshEnv({ [name]: value });
    const told = (text: string): void => {
      expect(text).toContain(`${name}: `);
      expect(text).toContain(why);
      if (typeof value === "string" && value !== "") expect(text).not.toContain(value);
    };
    for (const { method, path } of EVERY_ROUTE) {
      const { request } = RIGHTS[`${method} ${path}`] as (typeof RIGHTS)[string];
      const { path: at, options } = request("a.example");
      const response = await call(broken, at, { ...options, method });
      expect(response.status, `${method} ${path}`).toBe(503);
      expect(response.headers.get("Cache-Control")).toBe("private, no-store");
      const body = await response.text();
      told(body);
      if (path === "/healthz") {
        const health = JSON.parse(body) as Health;
        expect(health).toMatchObject({ status: "unconfigured", version: VERSION });
        expect(health.faults).toHaveLength(1);
        continue;
      }
      expect((JSON.parse(body) as ErrorBody).error.code).toBe("unconfigured");
      const line = await call(broken, at, { ...options, method, headers: { Accept: "text/plain" } });
      const text = await line.text();
      expect(text).toMatch(/^451 4\.3\.0 [\x20-\x7e]+\n$/);
      told(text);
    }
    // A second deployment is not affected.
    const ask = { json: { recipient: "alice@a.example" } };
    expect(await callJson<Answer>(env, "/v1/rcpt", ask)).toMatchObject({ verdict: "deliverable" });
  });

  it("is reported with all its faults at once", async () => {
    const bare = freshEnv({
      ROLLCALL_MASTER_KEY: undefined,
      ROLLCALL_ADMIN_TOKEN: "x",
      ROLLCALL_WINDOW: "y",
    });
    const { faults } = (await (await call(bare, "/healthz", { token: null })).json()) as Health;
    const named = faults.map((fault) => fault.split(":")[0]);
    expect(named.sort()).toEqual(["ROLLCALL_ADMIN_TOKEN", "ROLLCALL_MASTER_KEY", "ROLLCALL_WINDOW"]);
  });

  it("is reported on unknown paths, too", async () => {
    for (const path of ["/", "/v1", "/v1/nothing", "/healthz/healthz"]) {
      expect((await call(freshEnv({ REGISTRY: undefined }), path)).status).toBe(503);
    }
  });
});

describe("health", () => {
  it.each(["/healthz", "/healthz?verbose=1", "/healthz/"])(
    "is reported at %s without a token",
    async (path) => {
      const response = await call(env, path, { token: null });
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: "ok", version: VERSION, faults: [] });
    },
  );

  it("is reported at no other path that ends the same", async () => {
    const asked = await call(env, "/v1/rcpt?next=/healthz", { json: { recipient: "nobody@a.example" } });
    expect([asked.status, await asked.json()]).toMatchObject([400, { error: { code: "bad_request" } }]);
    expect((await call(env, "/v1/domains/a.example/healthz")).status).toBe(404);
    expect((await call(env, "/v1/rcpt/x@a.example?/healthz", { token: null })).status).toBe(401);
    expect((await call(env, "/healthz", { method: "POST" })).status).toBe(405);
  });
});

describe("an unknown path or method", () => {
  it.each<[string, string, number, string | null]>([
    ["GET", "/", 404, null],
    ["GET", "/v1", 404, null],
    ["GET", "/v2/rcpt", 404, null],
    ["POST", "/v1/RCPT", 404, null],
    ["POST", "/v1/%72cpt", 404, null],
    ["GET", "//v1/domains", 404, null],
    ["GET", "/v1/rcpt/a/b", 404, null],
    ["GET", "/v1/openapi-json", 404, null],
    ["GET", "/v1/openapi.json.bak", 404, null],
    ["GET", "/v1/domains/a.example/keys", 404, null],
    ["GET", "/v1/domains/%2e%2e/%2e%2e/etc/passwd", 404, null],
    ["GET", "/constructor", 404, null],
    ["GET", "/__proto__", 404, null],
    ["GET", "/v1/rcpt", 405, "POST"],
    ["GET", "/v1/rcpt/", 405, "POST"],
    ["PUT", "/v1/rcpt", 405, "POST"],
    ["DELETE", "/v1/rcpt/alice@a.example", 405, "GET"],
    ["HEAD", "/v1/rcpt/alice@a.example", 405, "GET"],
    ["HEAD", "/healthz", 405, "GET"],
    ["OPTIONS", "/v1/rcpt", 405, "POST"],
    ["OPTIONS", "/v1/domains/a.example", 405, "GET, DELETE"],
    ["PATCH", "/v1/domains/a.example", 405, "GET, DELETE"],
    ["PROPFIND", "/v1/domains/", 405, "GET"],
    ["POST", "/v1/domains/a.example/shards/x", 405, "PUT, GET"],
    ["PUT", "/v1/tokens", 405, "POST, GET"],
    ["POST", "/v1/domains//", 405, "GET"],
  ])("%s %s is answered by %i", async (method, path, status, allow) => {
    const response = await call(env, path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("Allow")).toBe(allow);
    expect(response.headers.get("Cache-Control")).toBe("private, no-store");
    const code = status === 404 ? "not_found" : "method_not_allowed";
    if (method !== "HEAD") expect(((await response.json()) as ErrorBody).error.code).toBe(code);
    const line = await call(env, path, { method, headers: { Accept: "text/plain" } });
    if (method !== "HEAD") expect(await line.text()).toMatch(/^451 4\.3\.0 /);
  });

  it.each<[string, string, string]>([
    ["a slash in a local part", "/v1/rcpt/a%2Fb%40a.example", "a/b@a.example"],
    ["a question mark", "/v1/rcpt/who%3F%40a.example", "who?@a.example"],
    ["a plus", "/v1/rcpt/alice+tag@a.example", "alice+tag@a.example"],
    ["an encoded plus", "/v1/rcpt/alice%2Btag%40a.example", "alice+tag@a.example"],
    ["a percent sign", "/v1/rcpt/50%2525%40a.example", "50%25@a.example"],
    ["a NUL", "/v1/rcpt/alice%00%40a.example", "alice\0@a.example"],
    ["a line break", "/v1/rcpt/alice%0d%0aRCPT%40a.example", "alice\r\nRCPT@a.example"],
    ["an encoded path up", "/v1/rcpt/..%2f..%2fetc%40a.example", "../../etc@a.example"],
    ["a slash at the end", "/v1/rcpt/alice@a.example/", "alice@a.example"],
    ["a quoted @", "/v1/rcpt/%22a%40b%22%40a.example", '"a@b"@a.example'],
  ])("is never an address in a path, however that is encoded: %s", async (_, path, recipient) => {
    const answer = await callJson<Answer>(env, path);
    expect(answer.recipient).toBe(recipient);
    expect(answer.verdict).not.toBe("unavailable");
    expect(answer.reply).toMatch(/^[25]\d\d \d\.\d\.\d <[\x20-\x7e]+>: [\x20-\x7e]+$/);
  });

  it.each(["%", "%zz", "%c3%28", "%ff%40a.example", "%ed%a0%80%40a.example"])(
    "is answered with 400 if it is an address that is badly encoded: %s",
    async (address) => {
      const response = await call(env, `/v1/rcpt/${address}`);
      expect(response.status).toBe(400);
      expect(((await response.json()) as ErrorBody).error.code).toBe("bad_request");
    },
  );
});

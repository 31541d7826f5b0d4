/* Bodies sent as text that are not lines of addresses, and query strings that no route reads. */
import { beforeAll, describe, expect, it } from "vitest";
import { type ErrorBody, EVERY_ROUTE } from "../../src/api/index.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();
const DOMAIN = "text.example";
const ALICE = `alice@${DOMAIN}`;

beforeAll(async () => {
  await publish(env, DOMAIN, ["alice", "{x}", "{}"]);
});

/** The Content-Type that `fetch` gives to a string. */
const post = (body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  call(env, "/v1/rcpt", { method: "POST", body, headers });

const json = (value: unknown): string => JSON.stringify(value, null, 2);

describe("JSON that is sent as text/plain", () => {
  it.each<[string, string]>([
    ["an object", JSON.stringify({ recipient: ALICE })],
    ["a list", JSON.stringify([ALICE])],
    ["an object over several lines", json({ recipient: ALICE })],
    ["a list over several lines", json([ALICE, `bob@${DOMAIN}`])],
    ["an object behind white space", ` \r\n\t${json({ recipients: [ALICE] })}\n`],
    ["an empty object", "{}"],
    ["an empty list", "[]"],
    ["a string", JSON.stringify(ALICE)],
    ["an object that is cut off", `{"recipient":"${ALICE}`],
    ["a list that is cut off", `[\n  "${ALICE}",\n`],
    ["an object a line", `{"recipient":"${ALICE}"}\n{"recipient":"bob@${DOMAIN}"}\n`],
    ["an object in single quotes", `{'recipient': '${ALICE}'`],
  ])("is a malformed request without a verdict: %s", async (_, body) => {
    const response = await post(body);
    expect(response.headers.get("Content-Type")).toMatch(/^text\/plain/);
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringMatching(
        /^451 4\.3\.0 recipient cannot be checked now: [\x20-\x7e]*application\/json[\x20-\x7e]*\n$/,
      ),
    ]);
  });

  it.each<[string, string, readonly string[]]>([
    ["a local part in braces", `{x}@${DOMAIN}\n`, ["250"]],
    ["a local part of braces alone", `{}@${DOMAIN}`, ["250"]],
    ["one in braces that is not listed", `{y}@${DOMAIN}`, ["550"]],
    ["an address before one that begins like JSON", `${ALICE}\n{"x"}@${DOMAIN}\n`, ["250", "501"]],
    ["an address behind one that begins like JSON", `{"x"}@${DOMAIN}\n${ALICE}\n`, ["501", "250"]],
    ["a quoted local part", `"a b"@${DOMAIN}\n`, ["550"]],
    ["a bare word", "alice\n", ["501"]],
  ])("is not taken for lines of addresses: %s", async (_, body, codes) => {
    const response = await post(body);
    expect(response.status).toBe(200);
    const lines = (await response.text()).split("\n").slice(0, -1);
    expect(lines.map((line) => line.slice(0, 3))).toEqual(codes);
  });
});

describe("a query string", () => {
  const said = async (response: Response): Promise<[number, string, string]> => {
    const { error } = (await response.json()) as ErrorBody;
    return [response.status, error.code, error.message];
  };

  it.each(["/v1/rcpt/alice?b@text.example", `/v1/rcpt/${ALICE}?x=1`, `/v1/rcpt/${ALICE}?`])(
    "is not part of an address, and never ignored: GET %s",
    async (path) => {
      expect(await said(await call(env, path))).toEqual([400, "bad_request", expect.stringContaining("%3F")]);
      const response = await call(env, path, { headers: { Accept: "text/plain" } });
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(/^451 4\.3\.0 [\x20-\x7e]+\n$/);
    },
  );

  it("is part of an address if percent-encoded", async () => {
    const answer = await callJson(env, `/v1/rcpt/alice%3Fb%40${DOMAIN}`);
    expect(answer).toMatchObject({ recipient: `alice?b@${DOMAIN}`, verdict: "unknown" });
  });

  it("that a route does not accept is refused, and its parameter named", async () => {
    const quiet = ["/healthz", "/v1/openapi.json", "/.well-known/mta-hooks"];
    for (const { method, path } of EVERY_ROUTE) {
      if (path === "/v1/rcpt/:address") continue;
      const url = path.replace(":domain", DOMAIN).replace(":id", "0".repeat(64));
      const response = await call(env, `${url}?expct=1`, { method });
      if (quiet.includes(path)) expect([path, response.status]).toEqual([path, 200]);
      else
        expect([path, ...(await said(response))]).toEqual([
          path,
          400,
          "bad_request",
          expect.stringContaining("expct"),
        ]);
    }
  });

  it("may not repeat a parameter", async () => {
    const response = await call(env, `/v1/domains/${DOMAIN}?expect=1&expect=2`, { method: "DELETE" });
    expect(await said(response)).toEqual([400, "bad_request", expect.stringContaining("twice")]);
  });

  it("reveals nothing to callers that may not use the route", async () => {
    expect((await call(env, `/v1/rcpt/${ALICE}?x`, { token: null })).status).toBe(401);
    expect((await call(env, "/v1/domains?x", { token: null })).status).toBe(401);
  });

  it("is ignored if empty", async () => {
    expect((await call(env, "/v1/domains?")).status).toBe(200);
  });
});

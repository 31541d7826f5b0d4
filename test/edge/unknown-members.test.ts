/* An unknown member of a request that writes is refused and named, since the client may have meant it to matter. */
import { beforeAll, describe, expect, it } from "vitest";
import type { DomainCommit, ErrorBody, TokenList } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import type { Document } from "./support/description.ts";
import { type CallOptions, call, callJson, freshEnv, packFor, publish, standing } from "./support/edge.ts";

const env = freshEnv();
const DOMAIN = "members.example";
let head = 0;
let commit: DomainCommit;
let heads = "";
let document: Document;

const list = (): Promise<string> => standing(env);

beforeAll(async () => {
  head = await publish(env, DOMAIN, ["alice", "bob"]);
  commit = (await packFor(env, DOMAIN, ["alice", "bob", "carol"], { expect: head })).commit;
  heads = await list();
  document = await callJson<Document>(env, "/v1/openapi.json");
});

const refused = async (path: string, options: CallOptions): Promise<string> => {
  const response = await call(env, path, options);
  const { error } = (await response.json()) as ErrorBody;
  expect([response.status, error.code]).toEqual([400, "bad_request"]);
  return error.message;
};

describe("an unknown member is refused, and named:", () => {
  it.each<[string, () => Record<string, unknown>]>([
    ["expires", () => ({ role: "check", domains: null, expires: 1 })],
    ["ttl", () => ({ role: "check", domains: null, ttl: 60, expires_in: 60 })],
    ["Role", () => ({ role: "check", domains: null, Role: "publish" })],
    ["__proto__", () => JSON.parse('{"role":"check","domains":null,"__proto__":{"expires_in":60}}')],
    ["constructor", () => ({ role: "check", domains: null, constructor: 1 })],
  ])("%s of a token", async (member, body) => {
    expect(await refused("/v1/tokens", { json: body() })).toContain(`unknown member: ${member}`);
    expect((await callJson<TokenList>(env, "/v1/tokens")).tokens).toEqual([]);
  });

  it.each<[string, (good: DomainCommit) => object]>([
    ["dryRun", (good) => ({ domains: [good], dryRun: true })],
    ["domains[0].polcy", (good) => ({ domains: [{ ...good, polcy: { catchall: true } }] })],
    ["domains[1].Mode", (good) => ({ domains: [good, { ...good, domain: "b.example", Mode: "observe" }] })],
    ["domains[0].shards.count", (good) => ({ domains: [{ ...good, shards: { ...good.shards, count: 1 } }] })],
    ["domains[0].shards.ids", (good) => ({ domains: [{ ...good, shards: { ...good.shards, ids: [] } }] })],
  ])("%s of a commit", async (member, body) => {
    expect(await refused("/v1/commits", { json: body(commit) })).toContain(`unknown member: ${member}`);
    expect(await list()).toBe(heads);
  });

  it("of a rollback", async () => {
    const json = { to: head, expect: head, forse: true };
    expect(await refused(`/v1/domains/${DOMAIN}/rollback`, { json })).toContain("unknown member: forse");
    expect(await list()).toBe(heads);
  });

  it("of a deletion, a revocation and the initialisation of a Registry, which have none", async () => {
    const json = { partitions: 4 };
    for (const [method, path] of [
      ["DELETE", `/v1/domains/${DOMAIN}?expect=${head}`],
      ["DELETE", `/v1/tokens/${"0".repeat(16)}`],
      ["POST", "/v1/registry"],
    ] as const) {
      expect(await refused(path, { method, json })).toContain("unknown member: partitions");
    }
    expect(await list()).toBe(heads);
  });
});

it("bits with an inline shard are 0 or absent", async () => {
  const json = { domains: [{ ...commit, shards: { ...commit.shards, bits: 3 } }] };
  expect(await refused("/v1/commits", { json })).toContain("domains[0].shards.bits");
});

it("a request without members may have an empty body or an empty object, and nothing that is not JSON", async () => {
  for (const body of [undefined, "", "{}", " {}\n"]) {
    const response = await call(env, "/v1/registry", {
      method: "POST",
      ...(body === undefined ? {} : { body }),
    });
    expect([body, response.status]).toEqual([body, 200]);
  }
  const headers = { "Content-Type": "application/json" };
  for (const body of ["partitions=4", "[]", "null"]) {
    await refused("/v1/registry", { method: "POST", body, headers });
  }
});

it("a check ignores unknown members", async () => {
  const json = { recipient: `alice@${DOMAIN}`, expires: 1, helo: { name: "mx" } };
  expect(await callJson<Answer>(env, "/v1/rcpt", { json })).toMatchObject({ verdict: "deliverable" });
});

it("the OpenAPI description says so of every request that writes, at every depth, and of no check", () => {
  const writing = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method, { requestBody }]) => method !== "get" && requestBody?.content["application/json"])
      .map(
        ([method, { requestBody }]) =>
          [`${method} ${path}`, requestBody?.content["application/json"]] as const,
      ),
  );
  expect(writing.length).toBeGreaterThan(3);
  for (const [name, body] of writing) {
    expect([name, openObjects(body)]).toEqual([name, /rcpt|hooks/.test(name) ? expect.any(Number) : 0]);
  }
  const of = (name: string): number => openObjects(writing.find(([each]) => each === name)?.[1]);
  expect(of("post /v1/rcpt")).toBeGreaterThan(0);
});

/** Objects with named properties that a schema leaves open, those that it refers to included. */
function openObjects(schema: unknown): number {
  if (typeof schema !== "object" || schema === null) return 0;
  const it = schema as Record<string, unknown>;
  if (typeof it.$ref === "string") {
    const { schemas } = document.components as { schemas: Record<string, unknown> };
    return openObjects(schemas[it.$ref.split("/").at(-1) as string]);
  }
  const isOpen = it.properties !== undefined && it.additionalProperties !== false;
  return Object.values(it).reduce((sum: number, each) => sum + openObjects(each), isOpen ? 1 : 0);
}

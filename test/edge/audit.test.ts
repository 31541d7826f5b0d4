/* The audit trail and the list of tokens come in pages, and can be asked about a domain, a token and an action. */
import { beforeAll, describe, expect, it } from "vitest";
import type { AuditList, AuditRecord, TokenCreated, TokenList } from "../../src/api/index.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";
import { nextId } from "./support/tokens.ts";

/** Two partitions, whose trails are one list. */
const env = freshEnv({ ROLLCALL_PARTITIONS: "2" });
const OWN = "own.example";
const OTHERS = ["a.example", "b.example", "c.example", "d.example"];
let publisher: TokenCreated;

beforeAll(async () => {
  await callJson(env, "/v1/registry", { method: "POST" });
  publisher = await callJson<TokenCreated>(env, "/v1/tokens", { json: { role: "publish", domains: [OWN] } });
  await publish(env, OWN, ["alice"], { token: publisher.token });
  for (const domain of OTHERS) await publish(env, domain, ["alice"]);
  // What somebody does so often that it hid a publisher's traces.
  for (let i = 0; i < 520; i++) {
    const json = { set: [{ recipient: `u${i % 2}@a.example`, state: i % 4 < 2 ? "active" : "full" }] };
    await callJson(env, "/v1/domains/a.example/mailboxes", { method: "PATCH", json });
  }
});

async function pages(query: string, limit: number): Promise<(readonly AuditRecord[])[]> {
  const all: (readonly AuditRecord[])[] = [];
  for (let after = ""; ; ) {
    const path = `/v1/audit?limit=${limit}${query}${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`;
    const { audit, next } = await callJson<AuditList>(env, path);
    all.push(audit);
    if (next === null) return all;
    expect(next).not.toBe(after);
    after = next;
  }
}

const lines = async (query: string): Promise<string[]> =>
  (await pages(query, 1_000)).flat().map(({ action, by, subject }) => `${action} ${by} ${subject}`);

describe("the audit trail", () => {
  it("comes whole, newest first, whatever the size of its pages", async () => {
    const { audit, next } = await callJson<AuditList>(env, "/v1/audit");
    expect(next).toBeNull();
    expect(audit.length).toBeGreaterThan(520);
    expect(audit.map(({ time }) => time)).toEqual(audit.map(({ time }) => time).sort((a, b) => b - a));
    for (const limit of [1_000, 97]) {
      const paged = await pages("", limit);
      expect(paged.flat()).toEqual(audit);
      expect(Math.max(...paged.map(({ length }) => length))).toBeLessThanOrEqual(limit);
    }
  });

  it("shows what a token did, and what was done with it", async () => {
    expect(await lines(`&token=${publisher.id}`)).toEqual([
      `commit ${publisher.id} ${OWN}`,
      `token create admin ${publisher.id}`,
    ]);
  });

  it("shows what was done with a domain, and one kind of action", async () => {
    expect(await lines(`&domain=${OWN}`)).toEqual([`commit ${publisher.id} ${OWN}`]);
    expect(await lines("&domain=B.Example")).toEqual(["commit admin b.example"]);
    expect(await lines("&action=commit&domain=a.example")).toEqual(["commit admin a.example"]);
    expect((await lines("&action=patch")).length).toBeGreaterThan(500);
    expect(await lines("&action=nothing")).toEqual([]);
  });

  it.each(["after=x", "after=1", "after=1.2.3", "domain=%20", "limit=0", "subject=a", "action=a&action=b"])(
    "is not asked with %s",
    async (query) => {
      expect((await call(env, `/v1/audit?${query}`)).status).toBe(400);
    },
  );
});

describe("the list of tokens", () => {
  it("comes in pages, and can be asked about a domain", async () => {
    for (let i = 0; i < 5; i++) {
      const json = { role: "check", domains: i % 2 === 0 ? [OWN] : ["a.example"] };
      await callJson(env, "/v1/tokens", { json });
    }
    await callJson(env, "/v1/tokens", { json: { role: "check", domains: null } });
    const { tokens, next } = await callJson<TokenList>(env, "/v1/tokens");
    expect([tokens.length, next]).toEqual([7, null]);
    const paged: TokenList["tokens"][number][] = [];
    for (let after: string | null = ""; after !== null; ) {
      const from: string = after === "" ? "" : `&after=${after}`;
      const page: TokenList = await callJson<TokenList>(env, `/v1/tokens?limit=2${from}`);
      paged.push(...page.tokens);
      after = page.next;
    }
    expect(paged).toEqual(tokens);
    const own = (await callJson<TokenList>(env, `/v1/tokens?domain=${OWN}`)).tokens;
    expect(own.map(({ domains }) => domains)).toEqual([[OWN], [OWN], [OWN], [OWN], null]);
    expect((await call(env, "/v1/tokens?after=x")).status).toBe(400);
    expect((await call(env, `/v1/tokens/${nextId()}`, { method: "DELETE" })).status).toBe(404);
    expect((await call(env, `/v1/tokens/${publisher.id}`, { method: "DELETE" })).status).toBe(200);
  });
});

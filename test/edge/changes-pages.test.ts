/* POST /v1/changes of a Registry with many domains: no answer is large, and the pages make the whole list. */
import { beforeAll, expect, it } from "vitest";
import { type ChangesAnswer, MAX_HEADS, type TokenCreated } from "../../src/api/index.ts";
import { CHANGES_LIMIT, collectChanges } from "../../src/client/changes.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";
import { domainNames, publishMany } from "./support/many.ts";

const env = freshEnv();
/** Commits of 499 domains do not fill pages exactly. */
const DOMAINS = domainNames(10_500);
const question = { partition: 0, since: null, nonce: "n" };

beforeAll(() => publishMany(env, DOMAINS, 499), 300_000);

async function collect(domains: readonly string[] | null) {
  const { token } = await callJson<TokenCreated>(env, "/v1/tokens", { json: { role: "replica", domains } });
  const pages: { heads: number; bytes: number }[] = [];
  const changes = await collectChanges(question, async (json) => {
    const text = await (await call(env, "/v1/changes", { json, token })).text();
    const answer = JSON.parse(text) as ChangesAnswer;
    pages.push({ heads: answer.heads.length, bytes: text.length });
    return answer;
  });
  return { changes, pages };
}

it("lists every domain once, in pages within the client's limit", async () => {
  const { changes, pages } = await collect(null);
  console.info("pages of 10,500 domains:", JSON.stringify(pages));
  expect(changes.answer.heads.map(([domain]) => domain).sort()).toEqual([...DOMAINS].sort());
  expect(changes.answer).toMatchObject({ full: true, asOf: Math.ceil(DOMAINS.length / 499) });
  expect(pages).toHaveLength(3);
  expect(Math.max(...pages.map(({ heads }) => heads))).toBeLessThanOrEqual(MAX_HEADS);
  expect(Math.max(...pages.map(({ bytes }) => bytes))).toBeLessThan(CHANGES_LIMIT / 10);
});

it("lists a token's few domains in one small answer", async () => {
  const own = ["d10499.example", "d0.example", "absent.example"];
  const { changes, pages } = await collect(own);
  expect(changes.answer.heads).toEqual([
    ["d0.example", 1],
    ["d10499.example", 22],
  ]);
  expect(pages).toEqual([{ heads: 2, bytes: expect.any(Number) }]);
  expect(pages[0]?.bytes).toBeLessThan(300);
});

it("lists a difference alone", async () => {
  const { changes } = await collect(null);
  const { incarnation, asOf } = changes.answer;
  const number = await publish(env, "d7.example", ["alice", "bob"], { expect: 1 });
  const since = { incarnation, number: asOf };
  expect(await callJson<ChangesAnswer>(env, "/v1/changes", { json: { ...question, since } })).toMatchObject({
    full: false,
    heads: [["d7.example", number]],
    next: null,
  });
});

/* GET /v1/domains: the state of the lists, for any token of their domains, a mail host's included. */
import { beforeAll, describe, expect, it } from "vitest";
import type { DomainList, TokenCreated, TokenRequest } from "../../src/api/index.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();
const OWN = "own.example";
const OTHER = "other.example";
const ABSENT = "absent.example";
let head = 0;

beforeAll(async () => {
  head = await publish(env, OWN, ["alice", ["bob", "disabled"]], { mode: "observe" });
  await publish(env, OTHER, ["dora"]);
});

const tokenOf = async (request: TokenRequest): Promise<string> =>
  (await callJson<TokenCreated>(env, "/v1/tokens", { json: request })).token;
const list = async (bindings = env, token?: string): Promise<DomainList["domains"]> =>
  (await callJson<DomainList>(bindings, "/v1/domains", token === undefined ? {} : { token })).domains;

describe("the list of domains", () => {
  it.each(["check", "publish", "replica"] as const)(
    "of a %s token has its domains, and no others",
    async (role) => {
      const token = await tokenOf({ role, domains: [OWN, ABSENT] });
      const domains = await list(env, token);
      expect(domains).toEqual([
        {
          domain: OWN,
          generation: head,
          time: expect.any(Number),
          age: expect.any(Number),
          mode: "observe",
          counts: { active: 1, disabled: 1, full: 0, moved: 0 },
          alias: null,
          deleted_until: null,
          epoch: 1,
          key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
          key_fits: true,
          patterns: 0,
          brake: null,
          refuses_from: null,
          open_changes: 0,
          would_refuse: 0,
          names_per_shard: 2,
          fault: null,
        },
      ]);
      expect(JSON.stringify(domains)).not.toMatch(/alice|bob|by|note/);
    },
  );

  it("of a token for all domains, and of admin, has all of them", async () => {
    const token = await tokenOf({ role: "check", domains: null });
    for (const domains of [await list(env, token), await list()]) {
      expect(domains.map(({ domain }) => domain)).toEqual([OTHER, OWN]);
    }
  });

  it("is not shown to a revoked token", async () => {
    const { id, token } = await callJson<TokenCreated>(env, "/v1/tokens", {
      json: { role: "check", domains: null },
    });
    await callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
    expect((await call(freshEnv(), "/v1/domains", { token })).status).toBe(401);
  });

  it("has the age of each list by the edge's own clock, in whole seconds", async () => {
    const [own] = (await list()).filter(({ domain }) => domain === OWN);
    expect(Number.isInteger(own?.age)).toBe(true);
    expect(own?.age).toBeLessThan(60);
  });
});

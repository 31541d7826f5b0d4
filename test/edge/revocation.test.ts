import { beforeAll, describe, expect, it } from "vitest";
import type { ErrorBody, TokenCreated, TokenList, TokenRecord } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { call, callJson, freshEnv, packFor, publish, tryPublish } from "./support/edge.ts";
import { claimsOf, mint } from "./support/tokens.ts";

const env = freshEnv();
const OWN = "own.example";
const OTHER = "other.example";

beforeAll(async () => {
  await publish(env, OWN, ["alice"]);
  await publish(env, OTHER, ["olga"]);
});

const issue = (json: unknown): Promise<TokenCreated> => callJson(env, "/v1/tokens", { json });
const revoke = (id: string): Promise<TokenRecord> => callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
const statusOf = async (bindings: typeof env, path: string, token: string): Promise<number> =>
  (await call(bindings, path, { token })).status;

describe("a token", () => {
  it("works in every isolate as soon as it is issued", async () => {
    const { token } = await issue({ role: "check", domains: [OWN] });
    for (const isolate of [env, freshEnv()]) {
      expect(await statusOf(isolate, "/v1/rcpt/alice%40own.example", token)).toBe(200);
    }
  });

  it("expires, also in an isolate that has used it before", async () => {
    const { token, expires, created } = await issue({ role: "check", domains: null, expires_in: 1 });
    expect(expires).toBe(created + 1_000);
    expect(await statusOf(env, "/v1/rcpt/alice%40own.example", token)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    expect(await statusOf(env, "/v1/rcpt/alice%40own.example", token)).toBe(401);
  });

  it("is listed with its details, and never itself", async () => {
    const created = await issue({ role: "replica", domains: ["Own.Example", OWN], note: "for mx1" });
    const { token, ...record } = created;
    expect(record).toMatchObject({ role: "replica", domains: [OWN], note: "for mx1", revoked: null });
    const response = await call(env, "/v1/tokens");
    const body = await response.text();
    expect((JSON.parse(body) as TokenList).tokens).toContainEqual(record);
    expect(body).not.toContain(token);
    expect(body).not.toContain(token.split(".")[2]);
  });
});

describe("a revoked token", () => {
  it("is refused immediately on routes that ask the Registry, in every isolate", async () => {
    const { id, token } = await issue({ role: "publish", domains: [OWN] });
    const other = freshEnv();
    expect(await statusOf(other, `/v1/domains/${OWN}`, token)).toBe(200);
    await revoke(id);
    for (const isolate of [env, other, freshEnv()]) {
      const response = await call(isolate, `/v1/domains/${OWN}`, { token });
      expect(response.status).toBe(401);
      expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
    }
    const { commit } = await packFor(env, OWN, ["alice", "bob"]);
    expect((await call(env, "/v1/commits", { token, json: { domains: [commit] } })).status).toBe(401);
  });

  it("is refused immediately by checks in the isolate that revoked it", async () => {
    const { id, token } = await issue({ role: "check", domains: null });
    expect(await statusOf(env, "/v1/rcpt/alice%40own.example", token)).toBe(200);
    await revoke(id);
    expect(await statusOf(env, "/v1/rcpt/alice%40own.example", token)).toBe(401);
  });

  it("may get an accept from a cold isolate, but none after that isolate's first confirmation", async () => {
    const { id, token } = await issue({ role: "check", domains: null });
    await revoke(id);
    const cold = freshEnv();
    const first = await call(cold, "/v1/rcpt/alice%40own.example", { token });
    expect([200, 401]).toContain(first.status);
    if (first.status === 200) expect(await first.json()).toMatchObject({ action: "accept", max_age: 0 });
    // The answer was sent first; the confirmation followed it in the background.
    expect(await statusOf(cold, "/v1/rcpt/alice%40own.example", token)).toBe(401);
  });

  it.each([
    ["an unknown mailbox", "nobody@own.example"],
    ["a domain that is not served", "x@nowhere.example"],
    ["an address literal", "x@[192.0.2.1]"],
  ])("never gets a refusal, not even the first answer of a cold isolate, for %s", async (_, recipient) => {
    const { id, token } = await issue({ role: "check", domains: null });
    await revoke(id);
    for (const json of [{ recipient }, { recipients: ["alice@own.example", recipient] }]) {
      const response = await call(freshEnv(), "/v1/rcpt", { token, json });
      expect(response.status).toBe(401);
      expect(((await response.json()) as ErrorBody).error.code).toBe("unauthorized");
    }
  });

  it("is refused by a warm isolate elsewhere from its next confirmation", async () => {
    const { id, token } = await issue({ role: "check", domains: null });
    const warm = freshEnv({ ROLLCALL_WINDOW: "2" });
    const ask = (): Promise<number> => statusOf(warm, "/v1/rcpt/alice%40own.example", token);
    expect(await ask()).toBe(200);
    await revoke(id);
    // Half a window later the next check makes its isolate ask, and the check after that knows.
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    await ask();
    expect(await ask()).toBe(401);
  });

  it("stays revoked when it is revoked again, and keeps the time of the first", async () => {
    const { id } = await issue({ role: "check", domains: null });
    const first = await revoke(id);
    expect(first.revoked).toEqual(expect.any(Number));
    expect(await revoke(id)).toEqual(first);
  });
});

describe("a check token of one domain", () => {
  const token = mint(claimsOf("check", [OWN]));
  const ask = async (isolate: typeof env, recipient: string): Promise<[number, Answer]> => {
    const response = await call(isolate, "/v1/rcpt", { token, json: { recipient } });
    return [response.status, (await response.json()) as Answer];
  };

  it("gets the same answer about every other domain, served or not, warm or cold", async () => {
    const told = new Set<string>();
    for (const isolate of [env, freshEnv()]) {
      for (const asked of [
        "olga@other.example",
        "nobody@other.example",
        "x@nowhere.example",
        "x@[192.0.2.1]",
      ]) {
        const [status, { recipient, reply, ...rest }] = await ask(isolate, asked);
        expect(recipient).toBe(asked);
        expect(reply).toBe(`451 4.3.0 <${asked}>: recipient cannot be checked now, try again later`);
        told.add(JSON.stringify([status, rest]));
      }
    }
    expect([...told]).toHaveLength(1);
    expect([...told][0]).toContain('[503,{"verdict":"unavailable","action":"defer"');
  });

  it("gets its own domain's answers in a batch with others, in their order", async () => {
    const recipients = ["olga@other.example", "alice@own.example", "x@nowhere.example", "nobody@OWN.example"];
    const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", { token, json: recipients });
    expect(results.map(({ recipient, verdict }) => [recipient, verdict])).toEqual([
      ["olga@other.example", "unavailable"],
      ["alice@own.example", "deliverable"],
      ["x@nowhere.example", "unavailable"],
      ["nobody@OWN.example", "unknown"],
    ]);
  });

  it("does not cover a domain whose name ends or starts like its own", async () => {
    for (const domain of ["sub.own.example", "xown.example", "own.example.org", "own"]) {
      const [status, answer] = await ask(env, `alice@${domain}`);
      expect([status, answer.verdict]).toEqual([503, "unavailable"]);
    }
  });
});

describe("a publish token of one domain", () => {
  const token = mint(claimsOf("publish", [OWN, "new.example"]));

  it("creates a domain that does not exist yet", async () => {
    const response = await tryPublish(env, "new.example", ["nina"], { token });
    expect(response.status).toBe(200);
  });

  it("commits nothing together with a domain that it does not cover", async () => {
    const own = await packFor(env, OWN, ["alice", "bob"]);
    const other = await packFor(env, OTHER, ["olga", "oscar"]);
    const heads = async (): Promise<string> => (await call(env, "/v1/domains")).text();
    const before = await heads();
    const json = { domains: [own.commit, other.commit] };
    const response = await call(env, "/v1/commits", { token, json });
    expect(response.status).toBe(403);
    expect(await heads()).toBe(before);
  });

  it("does not make its domain an alias of one that it does not cover", async () => {
    const { commit } = await packFor(env, "new.example", [], { policy: { alias: OTHER } });
    const json = { domains: [{ ...commit, expect: null }], force: true };
    const response = await call(env, "/v1/commits", { token, json });
    expect(response.status).toBe(403);
    const wide = mint(claimsOf("publish", ["new.example", OTHER]));
    // It may name the domains that it covers, so the error is now about the head that it was planned against.
    expect((await call(env, "/v1/commits", { token: wide, json })).status).toBe(409);
  });
});

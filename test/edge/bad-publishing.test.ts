import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type DomainCommit,
  type ErrorBody,
  MAX_COMMIT_DOMAINS,
  MAX_SHARD_BODY,
} from "../../src/api/index.ts";
import { type Answer, concatBytes, fromBase64Url, toBase64Url, toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { call, callJson, freshEnv, packFor, publish, standing, tryPublish } from "./support/edge.ts";

fc.configureGlobal({ seed: 20_260_701, numRuns: 200 });

const env = freshEnv();
const DOMAIN = "list.example";
const NO_ID = "0".repeat(64);
const MILLION = 1_000_000;
let good: DomainCommit;
let shard: Uint8Array;
let heads = "";

const list = (): Promise<string> => standing(env);

beforeAll(async () => {
  const expectHead = await publish(env, DOMAIN, ["alice", ["bob", "disabled"], "carol"]);
  good = (await packFor(env, DOMAIN, ["alice", ["bob", "disabled"], "carol", "dave"], { expect: expectHead }))
    .commit;
  shard = fromBase64Url((good.shards as { inline: string }).inline);
  heads = await list();
});

afterEach(async () => {
  // What was refused changed nothing, and checks still work.
  expect(await list()).toBe(heads);
  const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", {
    json: [`alice@${DOMAIN}`, `nobody@${DOMAIN}`],
  });
  expect(results.map(({ verdict }) => verdict)).toEqual(["deliverable", "unknown"]);
});

const post = (body: string): Promise<Response> =>
  call(env, "/v1/commits", { body, headers: { "Content-Type": "application/json" } });

/** JSON of a commit with one field set to any JSON. */
const commitWith = (field: string, json: string): string => {
  const rest = JSON.stringify({ ...good, [field]: undefined }).slice(1, -1);
  return `{"domains":[{${rest},"${field}":${json}}]}`;
};

async function told(response: Response): Promise<{ status: number; code: string; message: string }> {
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, code: error.code, message: error.message };
}

const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
const deepObject = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
const manyIds = (count: number, id: string): string => JSON.stringify(new Array(count).fill(id));

describe("an invalid commit", () => {
  it.each<[string, string, string, string]>([
    ["2^17 shards", "shards", `{"bits":17,"ids":["${NO_ID}"]}`, "content ids"],
    ["2^-1 shards", "shards", `{"bits":-1,"ids":["${NO_ID}"]}`, "shards.bits"],
    ["2^2.5 shards", "shards", `{"bits":2.5,"ids":["${NO_ID}"]}`, "shards.bits"],
    ["2^1e300 shards", "shards", `{"bits":1e300,"ids":[]}`, "shards.bits"],
    ["bits that are text", "shards", `{"bits":"1","ids":["${NO_ID}"]}`, "shards.bits"],
    ["more ids than shards", "shards", `{"bits":1,"ids":["${NO_ID}","${NO_ID}","${NO_ID}"]}`, "content ids"],
    ["fewer ids than shards", "shards", `{"bits":16,"ids":["${NO_ID}"]}`, "content ids"],
    ["a million empty ids", "shards", `{"bits":0,"ids":${manyIds(MILLION, "")}}`, "content ids"],
    ["ids that are paths", "shards", `{"bits":0,"ids":["../../roster/0"]}`, "content ids"],
    ["ids in capitals", "shards", `{"bits":0,"ids":["${"A".repeat(64)}"]}`, "content ids"],
    ["no shards", "shards", "{}", "shards.bits"],
    ["shards that are a list", "shards", "[]", "shards must be an object"],
    ["an inline shard that is no base64url", "shards", '{"bits":0,"inline":"+/="}', "base64url"],
    ["an inline shard that is empty", "shards", '{"bits":0,"inline":""}', "shorter than its header"],
    ["an inline shard of zeros", "shards", `{"bits":0,"inline":"${"A".repeat(2_000)}"}`, "not a shard"],
    ["an unknown mode", "mode", '"Enforce"', "mode must be"],
    ["a mode from every object", "mode", '"constructor"', "mode must be"],
    [
      "an unknown setting",
      "policy",
      '{"greylist":true}',
      "unknown member: domains[0].policy.greylist; known are delimiters, catchall",
    ],
    [
      "a setting called __proto__",
      "policy",
      '{"__proto__":{"catchall":true}}',
      "unknown member: domains[0].policy.__proto__;",
    ],
    [
      "a setting called constructor",
      "policy",
      '{"constructor":1}',
      "unknown member: domains[0].policy.constructor;",
    ],
    [
      "a setting called hasOwnProperty",
      "policy",
      '{"hasOwnProperty":1}',
      "unknown member: domains[0].policy.hasOwnProperty;",
    ],
    ["a policy that is a list", "policy", "[]", "policy must be an object"],
    ["a policy that is null", "policy", "null", "policy must be an object"],
    ["a catch-all that is text", "policy", '{"catchall":"yes"}', "policy.catchall"],
    ["a guard over all", "policy", '{"guard":1.01}', "policy.guard"],
    ["a grace without end", "policy", '{"grace":1e99}', "policy.grace"],
    ["a text that breaks lines", "policy", '{"text":"a\\r\\n250 ok"}', "policy.text"],
    ["a delimiter that is an @", "policy", '{"delimiters":"@"}', "policy.delimiters"],
    ["an alias that is no A-label", "policy", '{"alias":"B\\u00fccher.example"}', "policy.alias"],
    ["an alias of itself", "policy", `{"alias":"${DOMAIN}"}`, ""],
    ["a policy 100,000 deep", "policy", deepObject, "unknown member: domains[0].policy.a;"],
    ["an alias 100,000 deep", "policy", `{"alias":${deep}}`, "policy.alias"],
    ["a domain 100,000 deep", "domain", deep, "not a domain"],
    ["a domain that cannot be text", "domain", '{"toString":1,"valueOf":1}', "not a domain"],
    ["a domain that is null", "domain", "null", "not a domain"],
    ["a domain that is a literal", "domain", '"[192.0.2.1]"', "not a domain"],
    ["a domain that is a path", "domain", '"../roster/0"', "not a domain"],
    ["a domain with a NUL", "domain", '"a\\u0000.example"', "not a domain"],
    ["a domain too long", "domain", `"${"a.".repeat(200)}example"`, "not a domain"],
    ["sentinels that are deep", "sentinels", `[${deep}]`, "sentinels must be"],
    ["no sentinels", "sentinels", "[]", "its sentinels differ"],
    ["a million sentinels", "sentinels", manyIds(MILLION, "a"), "its sentinels differ"],
    ["another canonicaliser", "canonicaliser", "2", "made under canonicaliser 2"],
    ["a key that is not the edge's", "key_id", '"0123456789abcdef"', "made under key"],
    ["an epoch far ahead", "epoch", "7", "epoch 7"],
    ["an epoch before the first", "epoch", "0", "epoch 0"],
    ["an epoch that is no number", "epoch", '"1"', "epoch must be"],
    ["a head that is no number", "expect", '"1"', "expect must be"],
  ])("is refused with a reason: %s", async (_, field, json, message) => {
    const it = await told(await post(commitWith(field, json)));
    expect(it).toMatchObject({ status: 400, code: "bad_request" });
    expect(it.message).toContain(message);
    expect(it.message.length).toBeLessThan(500);
  });

  it.each<[string, () => string, string]>([
    ["no domains", () => '{"domains":[]}', "must be a list of 1 to"],
    ["domains that are an object", () => '{"domains":{"length":1}}', "must be a list of 1 to"],
    ["domains that are null", () => '{"domains":[null]}', "domains[0] must be an object"],
    ["too many domains", () => commits(MAX_COMMIT_DOMAINS + 1), "must be a list of 1 to"],
    ["a domain twice", () => JSON.stringify({ domains: [good, good] }), "twice"],
    [
      "a domain twice in two spellings",
      () => JSON.stringify({ domains: [good, { ...good, domain: "LIST.Example." }] }),
      "twice",
    ],
    ["force that is text", () => JSON.stringify({ domains: [good], force: "true" }), "force must be"],
    ["a note too long", () => JSON.stringify({ domains: [good], note: "x".repeat(201) }), "note must be"],
    ["a note that is an object", () => JSON.stringify({ domains: [good], note: {} }), "note must be"],
    ["only deep lists", () => deep, "must be an object"],
    ["nothing", () => "null", "must be an object"],
  ])("is refused as a whole with a reason: %s", async (_, body, message) => {
    const it = await told(await post(body()));
    expect(it).toMatchObject({ status: 400, code: "bad_request" });
    expect(it.message).toContain(message);
  });

  const commits = (count: number): string =>
    JSON.stringify({
      domains: Array.from({ length: count }, (_, i) => ({ ...good, domain: `d${i}.example` })),
    });

  it("is refused for its size if it names a million shards", async () => {
    const { status, code } = await told(
      await post(commitWith("shards", `{"bits":16,"ids":${manyIds(MILLION, NO_ID)}}`)),
    );
    expect([status, code]).toEqual([413, "too_large"]);
  });

  it("is told which shards are missing if it names as many as a list can have", async () => {
    const { status, code } = await told(
      await post(commitWith("shards", `{"bits":16,"ids":${manyIds(65_536, NO_ID)}}`)),
    );
    expect([status, code]).toEqual([409, "missing_shards"]);
  });

  it("may be any JSON, and never causes an internal error", async () => {
    const field = fc.constantFrom(...(Object.keys(good) as (keyof DomainCommit)[]), "policy", "mode");
    await fc.assert(
      fc.asyncProperty(field, fc.jsonValue(), async (name, value) => {
        const response = await post(commitWith(name, JSON.stringify({ ...good, expect: -1, [name]: value })));
        expect([400, 409]).toContain(response.status);
      }),
    );
  });
});

describe("an invalid shard", () => {
  const put = async (bytes: Uint8Array, id = toHex(stablelibHashing.sha256(bytes))) =>
    told(await call(env, `/v1/domains/${DOMAIN}/shards/${id}`, { method: "PUT", body: bytes.slice() }));
  const altered = (at: number, change: (view: DataView) => void): Uint8Array => {
    const bytes = shard.slice();
    change(new DataView(bytes.buffer, at));
    return bytes;
  };

  it.each<[string, () => Uint8Array]>([
    ["it says that it is longer", () => altered(8, (view) => view.setUint32(0, shard.length + 1, true))],
    ["it says that it is 4 GB long", () => altered(8, (view) => view.setUint32(0, 0xffffffff, true))],
    ["it says that it has more entries", () => altered(12, (view) => view.setUint32(0, 5, true))],
    [
      "it says that it has 4 billion entries",
      () => altered(12, (view) => view.setUint32(0, 0xffffffff, true)),
    ],
    ["it says that it has more exceptions", () => altered(16, (view) => view.setUint32(0, 4, true))],
    ["its bucket table goes past its end", () => altered(22, (view) => view.setUint16(0, 0xffff, true))],
    ["it is one of 2^255", () => altered(5, (view) => view.setUint8(0, 255))],
    ["it is of another format", () => altered(4, (view) => view.setUint8(0, 9))],
    ["its end is cut off", () => shard.slice(0, -1)],
    ["something stands behind it", () => concatBytes([shard, new Uint8Array(1)])],
    ["it is its head alone", () => shard.slice(0, 20)],
    ["it is empty", () => new Uint8Array(0)],
  ])("is refused, by itself and in a commit: %s", async (_, make) => {
    const bytes = make();
    expect(await put(bytes)).toMatchObject({ status: 400, code: "bad_request" });
    const inline = JSON.stringify({ bits: 0, inline: toBase64Url(bytes) });
    expect(await told(await post(commitWith("shards", inline)))).toMatchObject({ status: 400 });
  });

  it("is refused under an id that is not its own, and not stored", async () => {
    const other = toHex(stablelibHashing.sha256(shard)).replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    const it = await put(shard, other);
    expect(it).toMatchObject({ status: 400, code: "bad_request" });
    expect(it.message).toContain("named by its SHA-256");
    expect((await call(env, `/v1/domains/${DOMAIN}/shards/${other}`)).status).toBe(404);
  });

  it.each(["x", "%00", `${NO_ID}0`, NO_ID.slice(1), "A".repeat(64), "..%2froster%2f0"])(
    "is refused under a name that is not an id: %s",
    async (id) => {
      const path = `/v1/domains/${DOMAIN}/shards/${id}`;
      expect(await told(await call(env, path, { method: "PUT", body: shard.slice() }))).toMatchObject({
        status: 400,
      });
      expect(await told(await call(env, path))).toMatchObject({ status: 400 });
    },
  );

  it("is refused for its size", async () => {
    expect(await put(new Uint8Array(MAX_SHARD_BODY + 1))).toMatchObject({ status: 413, code: "too_large" });
  });

  it("may be any bytes, and never causes an internal error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 700 }), fc.nat(shard.length), async (bytes, keep) => {
        expect(await put(concatBytes([shard.slice(0, keep), bytes]))).toMatchObject({ status: 400 });
      }),
      { numRuns: 60 },
    );
  });
});

describe("an invalid request for a token", () => {
  it.each<[string, string]>([
    ["no role", "{}"],
    ["the role admin", '{"role":"admin"}'],
    ["a role from every object", '{"role":"constructor"}'],
    ["a publisher of everything", '{"role":"publish","domains":null}'],
    ["no domains", '{"role":"check","domains":[]}'],
    ["domains that are text", '{"role":"check","domains":"a.example"}'],
    ["a domain that is a pattern", '{"role":"check","domains":["*.example"]}'],
    ["a domain 30,000 deep", `{"role":"check","domains":[${"[".repeat(30_000)}${"]".repeat(30_000)}]}`],
    ["a domain that cannot be text", '{"role":"check","domains":[{"toString":null}]}'],
    [
      "a hundred domains and one",
      JSON.stringify({ role: "check", domains: new Array(101).fill("a.example") }),
    ],
    ["a life of nothing", '{"role":"check","expires_in":0}'],
    ["a life before now", '{"role":"check","expires_in":-60}'],
    ["a life of a moment", '{"role":"check","expires_in":0.5}'],
    ["a life without end", '{"role":"check","expires_in":1e308}'],
    ["a life in words", '{"role":"check","expires_in":"60"}'],
    ["a note that is a list", '{"role":"check","note":[]}'],
    ["a list", "[]"],
  ])("is refused with a reason: %s", async (_, body) => {
    const small = { body, headers: { "Content-Type": "application/json" } };
    expect(await told(await call(env, "/v1/tokens", small))).toMatchObject({
      status: 400,
      code: "bad_request",
    });
    expect(await callJson(env, "/v1/tokens")).toEqual({ tokens: [], next: null });
  });
});

it("a list is guarded and served under any domain name", async () => {
  for (const domain of ["__proto__", "constructor", "hasownproperty", "tostring", "xn--bcher-kva.example"]) {
    const people = ["alice", "bob", "carol", "dave", "erin"];
    const head = await publish(env, domain, people);
    const lost = await tryPublish(env, domain, ["alice"], { expect: head });
    expect([domain, lost.status]).toEqual([domain, 422]);
    expect(((await lost.json()) as ErrorBody).error.refusals).toMatchObject({ [domain]: expect.any(String) });
    for (const isolate of [env, freshEnv()]) {
      const json = { recipients: [`erin@${domain}`, `nobody@${domain}`] };
      const { results } = await callJson<{ results: Answer[] }>(isolate, "/v1/rcpt", { json });
      expect(results.map((each) => [each.domain, each.verdict])).toEqual([
        [domain, "deliverable"],
        [domain, "unknown"],
      ]);
    }
  }
  heads = await list();
});

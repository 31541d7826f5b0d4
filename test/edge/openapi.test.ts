import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type DomainDescription,
  type ErrorBody,
  EVERY_DESCRIBED_ROUTE,
  errorsOf,
  type PatchResult,
  type RegistryStatus,
  type TokenCreated,
  VERSION,
} from "../../src/api/index.ts";
import { openApiDocument } from "../../src/api/openapi.ts";
import { DEFAULT_POLICY, MAX_SHARD_ENTRIES, toBase64Url, toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Env } from "../../src/edge/worker.ts";
import { pack } from "../../testing/lists.ts";
import { Description, type Document, nameOf } from "./support/description.ts";
import { call, callJson, freshEnv, packFor, publish, registryStub, testEnv } from "./support/edge.ts";
import { setPaused } from "./support/paused.ts";
import { type Provocation, provocations, type World } from "./support/provocations.ts";
import { keyFor } from "./support/tokens.ts";

const env = freshEnv();
const NAMES = EVERY_DESCRIBED_ROUTE.map(nameOf);
let description: Description;
let cases: Readonly<Record<string, readonly Provocation[]>> = {};
/** Errors that occurred, by route. */
const met = new Map<string, Set<string>>(NAMES.map((name) => [name, new Set()]));

/** What is wrong with the response to a provocation, or null. */
async function fault(name: string, bindings: Env, it: Provocation): Promise<string | null> {
  const method = it.options?.method ?? (name.startsWith("GET") ? "GET" : "POST");
  const needsPause = name === "POST /v1/registry/restored";
  if (needsPause) await setPaused(true);
  const response = await call(bindings, it.path, { ...it.options, method });
  if (needsPause) await setPaused(false);
  const body = await response.clone().arrayBuffer();
  const told = `${name} ${it.path}: ${response.status} ${new TextDecoder().decode(body).slice(0, 300)}`;
  const isJson = response.headers.get("Content-Type") === "application/json";
  const error = isJson ? ((await response.clone().json()) as Partial<ErrorBody>).error : undefined;
  if (error !== undefined) met.get(name)?.add(error.code);
  if (response.status !== it.status || error?.code !== it.code) return `not ${it.status} ${it.code}: ${told}`;
  if (error !== undefined && !description.codes(name).includes(error.code)) return `not described: ${told}`;
  const wrong = await description.responseFault(name, response);
  return wrong === null ? null : `${wrong}: ${told}`;
}

/** The first of a route's requests that succeeds. */
const good = (name: string): Provocation =>
  (cases[name] as readonly Provocation[]).find(({ status }) => status < 300) as Provocation;

async function faults(run: (name: string) => Promise<string | null>): Promise<string[]> {
  const found: string[] = [];
  for (const name of NAMES) {
    const wrong = await run(name);
    if (wrong !== null) found.push(wrong);
  }
  return found;
}

const local = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

async function makeWorld(): Promise<World> {
  const [small, large, doomed, patched, braked] = [
    "small.example",
    "large.example",
    "doomed.example",
    "changed.example",
    "braked.example",
  ] as const;
  const people = ["alice", ["dora", "disabled"], ["fred", "full"], ["mary", "moved"]] as const;
  const planned = await publish(env, "planned.example", ["alice", "bob"]);
  const { key_id } = await callJson<DomainDescription>(env, "/v1/domains/planned.example");
  const heads = {
    [small]: await publish(env, small, [...people, ...local(20)]),
    [large]: await publish(env, large, local(9_000), { bits: 1 }),
    [doomed]: await publish(env, doomed, ["doris"]),
    [patched]: await publish(env, patched, ["alice", ...local(20)]),
    [braked]: await publish(env, braked, ["alice"]),
  };
  await runInDurableObject(registryStub(), (_, { storage }) => {
    storage.sql.exec("INSERT INTO brakes VALUES (?, 20, ?, 20, 12)", braked, Date.now());
  });
  const { shards } = await callJson<DomainDescription>(env, `/v1/domains/${large}`);
  const id = "ids" in shards ? (shards.ids[0] as string) : "";
  const bytes = await (await call(env, `/v1/domains/${large}/shards/${id}`)).arrayBuffer();
  const expect = heads[small] as number;
  const commitOf = async (count: number, bits?: number) =>
    (
      await packFor(env, small, [...people, ...local(count)], {
        expect,
        ...(bits === undefined ? {} : { bits }),
      })
    ).commit;
  const lacking = { ...(await commitOf(20)), shards: { bits: 0, ids: ["0".repeat(64)] } };
  return {
    planned: { domain: "planned.example", expect: planned, key_id },
    small,
    large,
    doomed,
    patched,
    braked,
    heads,
    shard: { id, bytes: new Uint8Array(bytes) },
    growing: await commitOf(21),
    lacking,
    losing: await commitOf(3),
    incarnation: (await callJson<RegistryStatus>(env, "/v1/registry")).partitions[0]?.incarnation ?? 0,
    tokenId: (await callJson<TokenCreated>(env, "/v1/tokens", { json: { role: "check", domains: null } })).id,
  };
}

/** Before anything is published, and with a KV that belongs to another Registry. */
async function provokeBeginnings(): Promise<string[]> {
  const wrong: string[] = [];
  const expectCode = async (status: number, code: string, name: string, it: Omit<Provocation, "status">) => {
    const found = await fault(name, env, { ...it, status, code });
    if (found !== null) wrong.push(found);
  };
  for (const path of ["/v1/domains", "/v1/tokens", "/v1/audit"]) {
    await expectCode(503, "uninitialised", `GET ${path}`, { path });
  }
  await expectCode(503, "uninitialised", "GET /v1/domains/{domain}", { path: "/v1/domains/a.example" });
  await testEnv.ROLLCALL_KV.put("roster/0", "another's");
  const bytes = new Uint8Array(3);
  const id = toHex(stablelibHashing.sha256(bytes));
  await expectCode(409, "conflict", "POST /v1/registry", { path: "/v1/registry" });
  await expectCode(409, "conflict", "POST /v1/tokens", {
    path: "/v1/tokens",
    options: { json: { role: "check", domains: null } },
  });
  await expectCode(409, "conflict", "PUT /v1/domains/{domain}/shards/{id}", {
    path: `/v1/domains/a.example/shards/${id}`,
    options: { method: "PUT", body: bytes },
  });
  await testEnv.ROLLCALL_KV.delete("roster/0");
  return wrong;
}

/** Single changes of a list under another key than the edge's, and of one whose only shard is full. */
async function provokePatches(): Promise<string[]> {
  const name = "PATCH /v1/domains/{domain}/mailboxes";
  const full = "full.example";
  const key = keyFor(full, 1);
  const { commit } = await packFor(env, full, []);
  const packed = pack(local(MAX_SHARD_ENTRIES), key, DEFAULT_POLICY, { bits: 0 });
  const shards = { inline: toBase64Url(packed.shards[0] as Uint8Array) };
  await callJson(env, "/v1/commits", { json: { domains: [{ ...commit, shards }] } });
  const json = { set: [{ recipient: `one-more@${full}`, state: "active" }] };
  const it = { path: `/v1/domains/${full}/mailboxes`, options: { method: "PATCH", json }, status: 409 };
  const other = freshEnv({ ROLLCALL_MASTER_KEY: toBase64Url(new Uint8Array(32).fill(9)) });
  const small = "shrinking.example";
  const expect = await publish(env, small, ["alice", "bob"]);
  const set = [{ recipient: `carol@${small}`, state: "active" }];
  await callJson(env, `/v1/domains/${small}/mailboxes`, { method: "PATCH", json: { set } });
  const { commit: unaware } = await packFor(env, small, ["alice", "bob"], { expect: expect + 1 });
  return [
    await fault("POST /v1/commits", env, {
      path: "/v1/commits",
      options: { json: { domains: [unaware] } },
      status: 409,
      code: "patched_names",
    }),
    await fault(name, env, { ...it, code: "repack_needed" }),
    await fault(name, other, { ...it, code: "conflict" }),
  ].filter((wrong) => wrong !== null);
}

/** A rollback across another spelling, since which a name was removed with `now`. */
async function provokeRollback(): Promise<string[]> {
  const domain = "respelled.example";
  const list = ["alice", "bob"];
  const to = await publish(env, domain, list);
  const policy = { case: "sensitive" } as const;
  await publish(env, domain, list, { policy, expect: to, force: true });
  const json = { remove: [`alice@${domain}`], now: true, force: true };
  const { generation: expect } = await callJson<PatchResult>(env, `/v1/domains/${domain}/mailboxes`, {
    method: "PATCH",
    json,
  });
  const wrong = await fault("POST /v1/domains/{domain}/rollback", env, {
    path: `/v1/domains/${domain}/rollback`,
    options: { json: { to, expect } },
    status: 409,
    code: "patched_names",
  });
  return wrong === null ? [] : [wrong];
}

/** Whatever adds something to a domain that stores too much. */
async function provokeFull(): Promise<string[]> {
  const domain = "stuffed.example";
  const expect = await publish(env, domain, ["alice", "bob"]);
  const { commit } = await packFor(env, domain, ["alice", "bob", "carol"], { expect });
  const bytes = pack(local(3), keyFor(domain, 1), DEFAULT_POLICY, { bits: 0 }).shards[0] as Uint8Array;
  await runInDurableObject(registryStub(), (_, { storage }) => {
    storage.sql.exec("INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", domain, 3e9, Date.now());
  });
  const it = { status: 429, code: "storage_full" };
  const set = [{ recipient: `carol@${domain}`, state: "active" }];
  const path = `/v1/domains/${domain}`;
  const id = toHex(stablelibHashing.sha256(bytes));
  const [patch, put] = ["mailboxes", "shards/{id}"].map((what) => `/v1/domains/{domain}/${what}`);
  return [
    await fault("POST /v1/commits", env, {
      ...it,
      path: "/v1/commits",
      options: { json: { domains: [commit] } },
    }),
    await fault(`PATCH ${patch}`, env, {
      ...it,
      path: `${path}/mailboxes`,
      options: { method: "PATCH", json: { set } },
    }),
    await fault(`PUT ${put}`, env, {
      ...it,
      path: `${path}/shards/${id}`,
      options: { method: "PUT", body: bytes },
    }),
  ].filter((wrong) => wrong !== null);
}

describe("the description of the API", () => {
  let beginnings: string[] = [];

  beforeAll(async () => {
    description = new Description(await callJson<Document>(env, "/v1/openapi.json", { token: null }));
    beginnings = await provokeBeginnings();
    cases = provocations(await makeWorld());
  });

  it("is of this release and of OpenAPI 3.1", async () => {
    const document = await callJson<Document & { info: { version: string } }>(env, "/v1/openapi.json");
    expect(document.openapi).toBe("3.1.0");
    expect(document.info.version).toBe(VERSION);
  });

  it("is made from the schemas: `npm run build` writes it", async () => {
    const made: unknown = JSON.parse(JSON.stringify(openApiDocument()));
    expect(await callJson(env, "/v1/openapi.json")).toEqual(made);
  });

  it("has every route, and nothing else", () => {
    expect([...description.operations.keys()].sort()).toEqual([...NAMES].sort());
    expect(Object.keys(cases).sort()).toEqual([...NAMES].sort());
  });

  it("names every parameter of a path, and the roles of every route", () => {
    for (const route of EVERY_DESCRIBED_ROUTE) {
      const { parameters = [], "x-roles": roles } = description.operation(nameOf(route));
      const inPath = parameters.filter((each) => each.in === "path").map((each) => `:${each.name}`);
      expect(inPath).toEqual(route.path.match(/:\w+/g) ?? []);
      expect(roles).toEqual(route.roles === "anyone" ? undefined : [...(route.roles ?? []), "admin"]);
    }
  });

  it.each(NAMES)("matches what %s answers", async (name) => {
    const found: string[] = [];
    for (const it of cases[name] as readonly Provocation[]) {
      const wrong = await fault(name, env, it);
      if (wrong !== null) found.push(wrong);
    }
    expect(found).toEqual([]);
  });

  it("matches requests that succeed", () => {
    const found = NAMES.flatMap((name) =>
      (cases[name] as readonly Provocation[])
        .filter(({ status, options }) => status < 300 && options?.json !== undefined)
        .map(({ options }) => description.requestFault(name, options?.json))
        .filter((wrong) => wrong !== null),
    );
    expect(found).toEqual([]);
  });

  it("does not match requests that fail", () => {
    for (const [name, json] of [
      ["POST /v1/rcpt", { recipients: [1] }],
      ["POST /v1/tokens", { role: "admin", domains: null }],
      ["POST /v1/changes", { partition: 0, since: null, nonce: "two words" }],
      ["POST /v1/changes", { partition: 0, since: null, nonce: "n", counts: [["", "enforce", "fine", 1]] }],
      ["POST /v1/commits", { domains: {} }],
      ["POST /v1/domains/{domain}/rollback", { to: -1, expect: 1 }],
    ] as const) {
      expect(description.requestFault(name, json), name).not.toBeNull();
    }
  });

  it("matches a Registry that was never initialised, or cannot be because KV belongs to another one", () => {
    expect(beginnings).toEqual([]);
  });

  it("matches single changes that need a publish first", async () => {
    expect(await provokePatches()).toEqual([]);
    expect(await provokeRollback()).toEqual([]);
    expect(await provokeFull()).toEqual([]);
  });

  it("matches callers that may not use a route", async () => {
    const isOpen = (name: string): boolean => /healthz|openapi|well-known/.test(name);
    const found = await faults((name) => {
      const { path, options } = good(name);
      const it = { path, options: { ...options, token: null }, status: 401, code: "unauthorized" };
      return isOpen(name) ? fault(name, env, good(name)) : fault(name, env, it);
    });
    expect(found).toEqual([]);
  });

  it("matches a deployment that is not configured", async () => {
    const bare = freshEnv({ ROLLCALL_MASTER_KEY: undefined });
    const found = await faults((name) =>
      fault(name, bare, {
        ...good(name),
        status: 503,
        ...(name === "GET /healthz" ? {} : { code: "unconfigured" }),
      }),
    );
    expect(found).toEqual([]);
  });

  it("matches a deployment without this description", async () => {
    const missing = { path: "/v1/openapi.json", status: 404, code: "not_found" };
    const empty = { fetch: async () => new Response("<p>not found</p>", { status: 404 }) };
    for (const ASSETS of [undefined, empty]) {
      expect(await fault("GET /v1/openapi.json", freshEnv({ ASSETS }), missing)).toBeNull();
    }
  });

  it("matches a deployment with another Registry", async () => {
    const other = freshEnv({ ROLLCALL_PARTITIONS: "2" });
    const reach = NAMES.filter((name) => !/rcpt|hooks|healthz|openapi|tokens\/|registry/.test(name));
    for (const name of reach) {
      expect(await fault(name, other, { ...good(name), status: 503, code: "unavailable" })).toBeNull();
    }
    expect(reach.length).toBeGreaterThan(10);
  });

  it("names no error of a route that no test provokes", () => {
    // A body that arrives too slowly needs a clock that is passed in, and has its own test.
    const elsewhere = ["timeout"];
    const unmet = EVERY_DESCRIBED_ROUTE.flatMap((route) =>
      errorsOf(route)
        .filter((code) => !elsewhere.includes(code) && code !== "unavailable")
        .filter((code) => !met.get(nameOf(route))?.has(code))
        .map((code) => `${nameOf(route)}: ${code}`),
    );
    expect(unmet).toEqual([]);
  });
});

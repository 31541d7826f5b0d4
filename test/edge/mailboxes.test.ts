/* Single changes through the Worker and the Registry. */
import { beforeAll, describe, expect, it } from "vitest";
import type {
  AuditRecord,
  DomainDescription,
  ErrorBody,
  GenerationRecord,
  PatchResult,
} from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { call, callJson, freshEnv, publish, registryStub } from "./support/edge.ts";
import { claimsOf, mint } from "./support/tokens.ts";

const env = freshEnv();
let count = 0;
const fresh = (): string => `d${count++}.example`;
const names = (most: number): string[] => Array.from({ length: most }, (_, i) => `u${i}`);

interface Sent {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
  readonly force?: boolean;
  readonly now?: boolean;
}

const send = (
  domain: string,
  { set = {}, remove = [], ...more }: Sent,
  key?: string,
  token?: string,
): Promise<Response> =>
  call(env, `/v1/domains/${domain}/mailboxes`, {
    method: "PATCH",
    json: {
      ...(Object.keys(set).length === 0
        ? {}
        : { set: Object.entries(set).map(([name, state]) => ({ recipient: `${name}@${domain}`, state })) }),
      ...(remove.length === 0 ? {} : { remove: remove.map((name) => `${name}@${domain}`) }),
      ...more,
    },
    headers: key === undefined ? {} : { "Idempotency-Key": key },
    ...(token === undefined ? {} : { token }),
  });

async function patch(domain: string, sent: Sent, key?: string): Promise<PatchResult> {
  const response = await send(domain, sent, key);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as PatchResult;
}

async function refusal(response: Response): Promise<ErrorBody["error"] & { status: number }> {
  const { error } = (await response.json()) as ErrorBody;
  return { ...error, status: response.status };
}

async function verdicts(domain: string, ...local: string[]): Promise<string[]> {
  const json = local.map((name) => `${name}@${domain}`);
  // The isolate through which the changes passed sees them at once.
  const { results } = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", {
    json: ["x@x.example", ...json],
  });
  return results.slice(1).map(({ verdict }) => verdict);
}

const head = (domain: string): Promise<DomainDescription> => callJson(env, `/v1/domains/${domain}`);

describe("single changes", () => {
  it("add, remove, disable and enable mailboxes", async () => {
    const domain = fresh();
    const first = await publish(env, domain, ["alice", ["dora", "disabled"], ...names(10)]);
    const result = await patch(domain, {
      set: { New: "active", dora: "active", u1: "disabled" },
      remove: ["u2"],
    });
    const counts = { added: 1, removed: 1, changed: 2 };
    expect(result).toEqual({ domain, generation: first + 1, ...counts, refused_from: expect.any(Number) });
    expect(await verdicts(domain, "new", "dora", "u1", "u2", "u3", "nobody")).toEqual([
      "deliverable",
      "deliverable",
      "departed",
      "departed",
      "deliverable",
      "unknown",
    ]);
    expect(await head(domain)).toMatchObject({ counts: { active: 11, disabled: 1, full: 0, moved: 0 } });
  });

  it("of a list of several shards rebuild those that have the names", async () => {
    const domain = fresh();
    await publish(env, domain, names(9_000), { bits: 3 });
    const before = (await head(domain)).shards as Extract<DomainDescription["shards"], { ids: unknown }>;
    await patch(domain, { set: { newcomer: "active" } });
    const after = (await head(domain)).shards as Extract<DomainDescription["shards"], { ids: unknown }>;
    expect(after.ids).toHaveLength(before.ids.length);
    expect(after.ids.filter((id, i) => id !== before.ids[i])).toHaveLength(1);
    expect(await verdicts(domain, "newcomer", "u5", "nobody")).toEqual([
      "deliverable",
      "deliverable",
      "unknown",
    ]);
  });

  it("that change nothing make no generation", async () => {
    const domain = fresh();
    const generation = await publish(env, domain, ["alice", "bob"]);
    const result = await patch(domain, { set: { alice: "active" }, remove: ["nobody"] });
    expect(result).toEqual({ domain, generation, added: 0, removed: 0, changed: 0, unlisted: [0] });
  });

  it("of a mailbox that must be in the list are refused if it is not, all of them, and say which", async () => {
    const domain = fresh();
    const generation = await publish(env, domain, ["alice", ["bob", "disabled"]]);
    const send = (set: readonly object[], more: object = {}): Promise<Response> =>
      call(env, `/v1/domains/${domain}/mailboxes`, { method: "PATCH", json: { set, ...more } });
    const to = (name: string, listed?: boolean): object => ({
      recipient: `${name}@${domain}`,
      state: "full",
      ...(listed === undefined ? {} : { listed }),
    });
    const refused = await refusal(
      await send([to("alice", true), to("typo", true), to("new"), to("x", true)]),
    );
    expect(refused).toMatchObject({
      status: 409,
      code: "not_listed",
      message: `${domain}: 2 mailboxes are not in the list; nothing was changed`,
      unlisted: [1, 3],
    });
    expect(await verdicts(domain, "alice", "typo", "new")).toEqual(["deliverable", "unknown", "unknown"]);
    const body = (await (await send([to("new"), to("bob", true), to("other", false)])).json()) as PatchResult;
    expect(body).toEqual({ domain, generation: generation + 1, added: 2, removed: 0, changed: 1 });
    expect(await verdicts(domain, "bob", "new", "other")).toEqual(["full", "full", "full"]);
  });

  it("leave a mailbox that must be new in the state that it has, and all others of the request too", async () => {
    const domain = fresh();
    const generation = await publish(env, domain, ["alice", ["bob", "disabled"]]);
    const send = (set: readonly object[]): Promise<Response> =>
      call(env, `/v1/domains/${domain}/mailboxes`, { method: "PATCH", json: { set } });
    const add = (name: string, more: object = { listed: false }): object => ({
      recipient: `${name}@${domain}`,
      state: "active",
      ...more,
    });
    expect(await refusal(await send([add("new"), add("bob"), add("alice")]))).toMatchObject({
      status: 409,
      code: "already_listed",
      message: `${domain}: a mailbox is in the list already, in another state; nothing was changed`,
      listed: [1],
    });
    expect(await verdicts(domain, "bob", "new")).toEqual(["disabled", "unknown"]);
    const twice = await refusal(await send([add("bob"), add("bob", { listed: true })]));
    expect(twice).toMatchObject({ status: 400, code: "bad_request" });
    const added = (await (await send([add("new"), add("alice")])).json()) as PatchResult;
    expect(added).toEqual({ domain, generation: generation + 1, added: 1, removed: 0, changed: 0 });
    await send([add("bob", {})]);
    expect(await verdicts(domain, "bob", "new")).toEqual(["deliverable", "deliverable"]);
  });

  it("say which removed mailboxes were not in the list, also when they are sent again", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    const sent = { set: { u1: "full" }, remove: ["typo", "u0", "gone"] };
    const first = await patch(domain, sent, "key");
    expect(first).toMatchObject({ removed: 1, changed: 1, unlisted: [0, 2] });
    expect(await patch(domain, sent, "key")).toEqual(first);
    expect(await patch(domain, { remove: ["u2"] })).not.toHaveProperty("unlisted");
  });

  it("see the changes before them, also those of the same moment; one that is refused leaves the others", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    const set = (name: string, state: string): Promise<Response> =>
      call(env, `/v1/domains/${domain}/mailboxes`, {
        method: "PATCH",
        json: { set: [{ recipient: `${name}@${domain}`, state, listed: true }] },
      });
    const [added, changed, typo, removed, after] = await Promise.all([
      send(domain, { set: { new: "active" } }),
      set("new", "disabled"),
      set("typo", "disabled"),
      send(domain, { remove: ["u0"] }),
      set("u0", "active"),
    ]);
    expect([added, changed, typo, removed, after].map((response) => response?.status)).toEqual([
      200, 200, 409, 200, 409,
    ]);
    expect(await verdicts(domain, "new", "typo", "u0")).toEqual(["disabled", "unknown", "departed"]);
  });

  it("are recorded in history and audit with who made them", async () => {
    const domain = fresh();
    const generation = await publish(env, domain, names(10));
    const claims = claimsOf("publish", [domain]);
    expect((await send(domain, { remove: ["u1"] }, undefined, mint(claims))).status).toBe(200);
    const { generations } = await callJson<{ generations: GenerationRecord[] }>(
      env,
      `/v1/domains/${domain}/generations`,
    );
    expect(generations[0]).toMatchObject({
      generation: generation + 1,
      action: "patch",
      by: claims.id,
      forced: false,
      note: "0 added, 1 removed, 0 changed",
    });
    const { audit } = await callJson<{ audit: AuditRecord[] }>(env, "/v1/audit");
    expect(audit[0]).toMatchObject({ action: "patch", by: claims.id, subject: domain });
  });

  it("are refused by the guard as a commit is, unless it is overridden", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    await patch(domain, { remove: ["u0", "u1"] });
    const refused = await refusal(await send(domain, { set: { u2: "moved" } }));
    expect(refused).toMatchObject({ status: 422, code: "guard" });
    expect(refused.refusals?.[domain]).toContain("3 of 10 names");
    expect(await verdicts(domain, "u2")).toEqual(["deliverable"]);
    await patch(domain, { set: { u2: "moved" }, force: true });
    expect(await verdicts(domain, "u2")).toEqual(["departed"]);
    await patch(domain, { set: { u2: "moved", u3: "disabled" }, now: true, force: true });
    expect(await verdicts(domain, "u2", "u3")).toEqual(["moved", "disabled"]);
    const other = fresh();
    await publish(env, other, ["only"]);
    expect(await refusal(await send(other, { remove: ["only"] }))).toMatchObject({ code: "guard" });
  });

  it("with now end a name's grace, also one that began before", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    await patch(domain, { remove: ["u0"] });
    await patch(domain, { remove: ["u1"], now: true });
    expect(await verdicts(domain, "u0", "u1")).toEqual(["departed", "unknown"]);
    await patch(domain, { remove: ["u0"], now: true });
    expect(await verdicts(domain, "u0", "u1")).toEqual(["unknown", "unknown"]);
  });

  it("sent again with the same key are made once, and with other changes refused", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    const first = await patch(domain, { set: { new: "active" } }, "key-1");
    await patch(domain, { remove: ["new"] }, "key-2");
    expect(await patch(domain, { set: { new: "active" } }, "key-1")).toEqual(first);
    expect(await verdicts(domain, "new")).toEqual(["departed"]);
    expect(await refusal(await send(domain, { set: { other: "active" } }, "key-1"))).toMatchObject({
      status: 400,
      message: expect.stringContaining("use a new one"),
    });
  });

  it("a thousand at the same time lose none", async () => {
    const domain = fresh();
    const generation = await publish(env, domain, names(100));
    const all = Array.from({ length: 1_000 }, (_, i) => `n${i}`);
    const results = await Promise.all(all.map((name) => patch(domain, { set: { [name]: "active" } })));
    expect(results.every(({ added }) => added === 1)).toBe(true);
    const heads = new Set(results.map((result) => result.generation));
    // Those that wait together are committed together.
    expect(heads.size).toBeLessThan(200);
    expect(Math.max(...heads)).toBe(generation + heads.size);
    expect((await head(domain)).counts.active).toBe(1_100);
    expect(new Set(await verdicts(domain, ...all.slice(0, 999)))).toEqual(new Set(["deliverable"]));
  });

  it("that wait together are judged one by one", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    // Two names may go; the third would be too much, and a return makes room again.
    const sent: Sent[] = [
      { remove: ["u0"] },
      { remove: ["u1"] },
      { remove: ["u2"] },
      { set: { u0: "active", more: "active" } },
      { remove: ["u3"] },
      { remove: ["u4"] },
    ];
    const statuses = (await Promise.all(sent.map((each) => send(domain, each)))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    expect(statuses.filter((status) => status === 422)).toHaveLength(2);
    const { counts } = await head(domain);
    expect(counts.active).toBeGreaterThanOrEqual(8);
  });

  it("store no address in the Registry or in KV", async () => {
    const domain = fresh();
    await publish(env, domain, names(10));
    await patch(domain, { set: { "very-secret-name": "active" } }, "key");
    const { runInDurableObject } = await import("cloudflare:test");
    const stub = registryStub();
    const stored = await runInDurableObject(stub, (_, state) =>
      ["patched_names", "patch_keys", "audit", "generations"].map((table) => [
        ...state.storage.sql.exec(`SELECT * FROM ${table}`).raw(),
      ]),
    );
    const text = JSON.stringify(stored, (_, value) =>
      value instanceof ArrayBuffer ? new TextDecoder().decode(value) : value,
    );
    expect(text).toContain(domain);
    expect(text).not.toContain("very-secret");
  });
});

describe("single changes are refused, and nothing changes,", () => {
  it("for a domain without a list, a deleted one, and an alias, whose target they name", async () => {
    const [domain, alias] = [fresh(), fresh()];
    expect(await refusal(await send("nowhere.example", { remove: ["a"] }))).toMatchObject({ status: 404 });
    const generation = await publish(env, domain, ["alice"]);
    await publish(env, alias, [], { policy: { alias: domain } });
    expect(await refusal(await send(alias, { set: { a: "active" } }))).toMatchObject({
      status: 400,
      message: expect.stringContaining(`change the mailboxes of ${domain}`),
    });
    const gone = fresh();
    const expected = await publish(env, gone, ["alice"]);
    await call(env, `/v1/domains/${gone}?expect=${expected}`, { method: "DELETE" });
    expect(await refusal(await send(gone, { set: { a: "active" } }))).toMatchObject({ status: 404 });
    expect((await head(domain)).generation).toBe(generation);
  });

  it.each([
    ["of another domain", { remove: ["a@other.example"] }, "remove[0]"],
    ["of no domain", { set: [{ recipient: "a", state: "active" }] }, "set[0].recipient"],
    ["that need quotes", { remove: ["a b@list.example"] }, "remove[0]"],
    ["in an unknown state", { set: [{ recipient: "a@list.example", state: "asleep" }] }, "set[0].state"],
    [
      "in two states",
      { set: [{ recipient: "A@list.example", state: "full" }], remove: ["a@list.example"] },
      "remove[0]",
    ],
    ["that are none", { set: [] }, "set"],
    [
      "that are too many",
      { remove: Array.from({ length: 1_001 }, (_, i) => `u${i}@list.example`) },
      "1 to 1000",
    ],
  ])("for mailboxes %s", async (_, json, told) => {
    const generation = await publishOnce();
    const response = await call(env, "/v1/domains/list.example/mailboxes", { method: "PATCH", json });
    expect(await refusal(response)).toMatchObject({ status: 400, message: expect.stringContaining(told) });
    expect((await head("list.example")).generation).toBe(generation);
  });

  it("for a token of another role, or of other domains", async () => {
    await publishOnce();
    for (const token of [mint(claimsOf("check", null)), mint(claimsOf("publish", ["other.example"]))]) {
      expect((await send("list.example", { remove: ["u1"] }, undefined, token)).status).toBe(403);
    }
  });
});

let once: Promise<number> | null = null;
const publishOnce = (): Promise<number> => {
  once ??= publish(env, "list.example", names(10));
  return once;
};

beforeAll(() => publish(env, "x.example", ["x"]));

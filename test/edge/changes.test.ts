/* POST /v1/changes: what a replica learns from the Registry, and what it does not. */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type ChangesAnswer,
  type ChangesRequest,
  type EdgeStatus,
  type ErrorBody,
  MAX_COUNTS,
  type TokenCreated,
  type TokenRequest,
} from "../../src/api/index.ts";
import { call, callJson, freshEnv, publish, registryStub } from "./support/edge.ts";
import { countedEnv } from "./support/many.ts";

const env = freshEnv();
const OWN = "own.example";
const SECOND = "second.example";
const FOREIGN = "foreign.example";
const ABSENT = "absent.example";
const heads: Record<string, number> = {};
let token = "";

const issue = (request: TokenRequest): Promise<TokenCreated> =>
  callJson<TokenCreated>(env, "/v1/tokens", { json: request });
const question = (members: object = {}): ChangesRequest => ({
  partition: 0,
  since: null,
  nonce: "n-1",
  ...members,
});
const post = (members: object = {}, as = token, bindings = env): Promise<Response> =>
  call(bindings, "/v1/changes", { json: question(members), token: as });
const ask = (members: object = {}, as = token, bindings = env): Promise<ChangesAnswer> =>
  callJson<ChangesAnswer>(bindings, "/v1/changes", { json: question(members), token: as });
async function refusal(members: object, as = token): Promise<{ status: number } & ErrorBody["error"]> {
  const response = await post(members, as);
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}
const positionOf = ({ incarnation, as_of }: ChangesAnswer) => ({ incarnation, number: as_of });
const sql = (statement: string): Promise<unknown[]> =>
  runInDurableObject(registryStub(), (_, state) => state.storage.sql.exec(statement).toArray());

beforeAll(async () => {
  heads[OWN] = await publish(env, OWN, ["alice", "bob"]);
  heads[SECOND] = await publish(env, SECOND, ["alice"]);
  heads[FOREIGN] = await publish(env, FOREIGN, ["alice"]);
  token = (await issue({ role: "replica", domains: [OWN, SECOND, ABSENT] })).token;
});

describe("the answer to a replica that knows nothing", () => {
  it("has every head that its token covers, and no other name", async () => {
    const response = await post({ nonce: "9f2c~!" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("private, no-store");
    expect(response.headers.get("Content-Type")).toBe("application/json");
    const text = await response.text();
    expect(text).not.toContain(FOREIGN);
    const answer = JSON.parse(text) as ChangesAnswer;
    expect(answer).toEqual({
      nonce: "9f2c~!",
      partition: 0,
      partitions: 1,
      window: 30,
      time: expect.any(Number),
      incarnation: expect.any(Number),
      as_of: heads[FOREIGN],
      full: true,
      heads: [
        [OWN, heads[OWN]],
        [SECOND, heads[SECOND]],
      ],
      pruned: 0,
      next: null,
    });
    expect(Math.abs(Date.now() - answer.time)).toBeLessThan(60_000);
  });

  it("has all heads if the token covers all domains, and for admin", async () => {
    const all = (await issue({ role: "replica", domains: null })).token;
    const every = Object.entries(heads);
    expect((await ask({}, all)).heads).toEqual(every);
    expect(
      (await call(env, "/v1/changes", { json: question() }).then((r) => r.json())) as object,
    ).toMatchObject({
      heads: every,
    });
  });

  it("names no revoked token", async () => {
    const other = await issue({ role: "check", domains: null });
    const since = positionOf(await ask());
    await callJson(env, `/v1/tokens/${other.id}`, { method: "DELETE" });
    for (const from of [null, since]) {
      const text = await (await post({ since: from })).text();
      expect(text).not.toContain(other.id);
      expect(text).not.toContain("revoked");
    }
    expect((await ask({ since })).as_of).toBeGreaterThan(since.number);
  });
});

describe("the answer to a replica that knows the log up to N", () => {
  it("is small if nothing changed: bytes of an idle poll", async () => {
    const since = positionOf(await ask());
    const asked = question({ since, nonce: "f".repeat(32) });
    const response = await call(env, "/v1/changes", { json: asked, token });
    const answered = new TextEncoder().encode(await response.text()).length;
    const sent = JSON.stringify(asked).length;
    console.info(`an idle poll: ${sent} octets of question, ${answered} octets of answer`);
    expect(sent).toBeLessThanOrEqual(130);
    expect(answered).toBeLessThanOrEqual(230);
  });

  it("costs one call of the Registry, and nothing of KV", async () => {
    const counted = countedEnv();
    await ask({}, token, counted.env);
    const since = positionOf(await ask({}, token, counted.env));
    counted.count.total = 0;
    await ask({ since }, token, counted.env);
    expect(counted.count.total).toBe(1);
  });

  it("reads no heads if nothing changed", async () => {
    const since = positionOf(await ask());
    await sql("ALTER TABLE heads RENAME TO hidden");
    try {
      expect(await ask({ since })).toMatchObject({ full: false, heads: [], as_of: since.number });
    } finally {
      await sql("ALTER TABLE hidden RENAME TO heads");
    }
  });

  it("has what changed since, tombstones included, and nothing of other domains", async () => {
    const since = positionOf(await ask());
    const number = await publish(env, SECOND, ["alice", "carol"], { expect: heads[SECOND] as number });
    await publish(env, FOREIGN, ["alice", "carol"], { expect: heads[FOREIGN] as number });
    const answer = await ask({ since });
    expect(answer).toMatchObject({ full: false, heads: [[SECOND, number]], as_of: number + 1 });
    await callJson(env, `/v1/domains/${SECOND}?expect=${number}`, { method: "DELETE" });
    expect((await ask({ since: positionOf(answer) })).heads).toEqual([[SECOND, number + 2]]);
    heads[SECOND] = await publish(env, SECOND, ["alice"], { expect: number + 2 });
  });

  it("comes from the Registry, not from what the isolate knows", async () => {
    const isolate = freshEnv();
    // The isolate has a fresh confirmation, so its own checks do not ask.
    await callJson(isolate, "/v1/rcpt", { json: { recipient: `nobody@${OWN}` } });
    const { as_of } = await ask({}, token, isolate);
    const number = await publish(env, OWN, ["alice", "bob", "dave"], { expect: heads[OWN] as number });
    heads[OWN] = number;
    const answer = await ask({}, token, isolate);
    expect(number).toBeGreaterThan(as_of);
    expect(answer.as_of).toBe(number);
    expect(answer.heads).toContainEqual([OWN, number]);
  });

  it("is full again if the log is another one, or does not reach N", async () => {
    const { incarnation, as_of } = await ask();
    for (const since of [
      { incarnation: incarnation - 1, number: as_of },
      { incarnation: incarnation + 1, number: as_of },
      { incarnation, number: as_of + 1 },
    ]) {
      expect(await ask({ since })).toMatchObject({ incarnation, as_of, full: true });
    }
  });

  it("is full again if N is older than what was pruned", async () => {
    const since = positionOf(await ask());
    await sql(`INSERT INTO meta (name, value) VALUES ('purged', ${since.number})`);
    expect(await ask({ since })).toMatchObject({ full: false, pruned: since.number });
    expect(await ask({ since: { ...since, number: since.number - 1 } })).toMatchObject({ full: true });
    await sql("DELETE FROM meta WHERE name = 'purged'");
  });
});

describe("a replica's token", () => {
  it("is refused from the moment it is revoked, in an isolate that has not heard of it", async () => {
    const isolate = freshEnv();
    const own = await issue({ role: "replica", domains: [OWN] });
    expect((await post({}, own.token, isolate)).status).toBe(200);
    await callJson(env, `/v1/tokens/${own.id}`, { method: "DELETE" });
    const response = await post({ counts: [[OWN, "enforce", "full", 7]] }, own.token, isolate);
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
    expect(((await response.json()) as ErrorBody).error.code).toBe("unauthorized");
    const { answers } = await callJson<EdgeStatus>(env, "/v1/status");
    expect(answers.filter(({ verdict }) => verdict === "full")).toEqual([]);
  });

  it("must name the target of an alias, as far as the Registry knows it", async () => {
    await publish(env, "alias.example", [], { policy: { alias: OWN }, force: true });
    const create = (domains: readonly string[], role = "replica"): Promise<Response> =>
      call(env, "/v1/tokens", { json: { role, domains } });
    const refused = await create(["alias.example", SECOND]);
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as ErrorBody).error).toMatchObject({
      code: "bad_request",
      message: `alias.example is an alias of ${OWN}: a replica token must name ${OWN} too`,
    });
    for (const [domains, role] of [
      [["alias.example", OWN], "replica"],
      [["Alias.Example.", OWN.toUpperCase()], "replica"],
      [[SECOND, ABSENT], "replica"],
      [["alias.example"], "check"],
      [["alias.example"], "publish"],
    ] as const) {
      expect((await create(domains, role)).status).toBe(200);
    }
  });
});

describe("a question that is wrong", () => {
  it("of a partition that does not exist says how many there are", async () => {
    expect(await refusal({ partition: 1 })).toMatchObject({
      status: 400,
      code: "bad_request",
      message: "partition must be 0: there is 1 partition",
    });
    const two = freshEnv({ ROLLCALL_PARTITIONS: "2" });
    const response = await post({ partition: 2 }, token, two);
    expect(((await response.json()) as ErrorBody).error.message).toBe(
      "partition must be from 0 to 1: there are 2 partitions",
    );
  });

  it.each<[string, object]>([
    ["no nonce", { nonce: undefined }],
    ["an empty nonce", { nonce: "" }],
    ["a nonce of 65 characters", { nonce: "x".repeat(65) }],
    ["a nonce with a line break", { nonce: "a\nb" }],
    ["a nonce that is not ASCII", { nonce: "é" }],
    ["no partition", { partition: undefined }],
    ["a partition below 0", { partition: -1 }],
    ["a partition in words", { partition: "0" }],
    ["no since", { since: undefined }],
    ["a since without its incarnation", { since: { number: 1 } }],
    ["a since with more members", { since: { incarnation: 1, number: 1, more: 1 } }],
    ["a since below 0", { since: { incarnation: 1, number: -1 } }],
    ["a since past all numbers", { since: { incarnation: 1, number: 2 ** 60 } }],
    ["an after that is no number", { after: "1" }],
    ["domains", { domains: [FOREIGN] }],
    ["counts that are no list", { counts: {} }],
    ["no counts", { counts: [] }],
    ["too many counts", { counts: new Array(MAX_COUNTS + 1).fill([OWN, "enforce", "unknown", 1]) }],
    ["a count of a foreign domain", { counts: [[FOREIGN, "enforce", "unknown", 1]] }],
    ["a count of a domain in another spelling", { counts: [[OWN.toUpperCase(), "enforce", "unknown", 1]] }],
    ["a count of no domain's name", { counts: [["a b", "enforce", "unknown", 1]] }],
    ["a count of an unknown verdict", { counts: [[OWN, "enforce", "constructor", 1]] }],
    ["a count of an unknown mode", { counts: [[OWN, "dry", "unknown", 1]] }],
    ["a count of an unknown fault", { counts: [["", "fault", "unknown", 1]] }],
    ["a count of nothing", { counts: [[OWN, "enforce", "unknown", 0]] }],
    ["a count below nothing", { counts: [[OWN, "enforce", "unknown", -1]] }],
    ["a count of a half", { counts: [[OWN, "enforce", "unknown", 0.5]] }],
    ["a count past all counting", { counts: [[OWN, "enforce", "unknown", 1_000_000_001]] }],
    ["a count in words", { counts: [[OWN, "enforce", "unknown", "1"]] }],
    ["a count that is too short", { counts: [[OWN, "enforce", "unknown"]] }],
    ["a count that is too long", { counts: [[OWN, "enforce", "unknown", 1, 1]] }],
  ])("is a bad request, and counts nothing: %s", async (_, members) => {
    const before = await callJson<EdgeStatus>(env, "/v1/status");
    expect(await refusal(members)).toMatchObject({ status: 400, code: "bad_request" });
    expect(await callJson<EdgeStatus>(env, "/v1/status")).toEqual(before);
  });

  it("says nothing of whether a foreign domain exists", async () => {
    const line = (domain: string) => ({ counts: [[domain, "enforce", "unknown", 1]] });
    const [exists, does] = [await refusal(line(FOREIGN)), await refusal(line("nowhere.example"))];
    expect(exists).toEqual(does);
    expect(exists.message).toBe("counts[0] names a domain that this token does not cover");
  });
});

describe("what a replica counted", () => {
  it("is added to the status, once for each question", async () => {
    const counts = [
      [SECOND, "enforce", "unknown", 5],
      [SECOND, "observe", "deliverable", 2],
      ["", "", "not-served", 3],
      ["", "fault", "registry_unreachable", 4],
      [SECOND, "fault", "damaged_blob", 1],
    ];
    await ask({ counts });
    await ask({ counts: [[SECOND, "enforce", "unknown", 1]] });
    const { answers, faults } = await callJson<EdgeStatus>(env, "/v1/status");
    expect(answers.filter(({ domain }) => domain === SECOND || domain === null)).toEqual([
      { domain: null, mode: null, verdict: "not-served", hour: 3, day: 3 },
      { domain: SECOND, mode: "enforce", verdict: "unknown", hour: 6, day: 6 },
      { domain: SECOND, mode: "observe", verdict: "deliverable", hour: 2, day: 2 },
    ]);
    expect(faults).toEqual([
      { domain: null, kind: "registry_unreachable", hour: 4, day: 4 },
      { domain: SECOND, kind: "damaged_blob", hour: 1, day: 1 },
    ]);
  });
});

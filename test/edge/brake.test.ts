/* The brake in workerd: isolates report distinct names, the Registry holds those that left, and a person decides. */
import { beforeAll, expect, it } from "vitest";
import type {
  AuditList,
  ChangesAnswer,
  DomainDescription,
  DomainList,
  ErrorBody,
  GenerationList,
  HeadResult,
  TokenCreated,
} from "../../src/api/index.ts";
import {
  type Answer,
  addToSketch,
  fingerprint,
  newSketch,
  packSketch,
  toBase64Url,
} from "../../src/directory/index.ts";
import { call, callJson, freshEnv, publish } from "./support/edge.ts";
import { keyFor } from "./support/tokens.ts";

const env = freshEnv();
const D = "leaving.example";
const SOFT = "soft.example";
const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);

beforeAll(async () => {
  await publish(env, D, names(60));
  await publish(env, SOFT, names(5), { mode: "observe" });
});

const ask = async (bindings: typeof env, recipients: readonly string[]): Promise<Answer[]> =>
  (await callJson<{ results: Answer[] }>(bindings, "/v1/rcpt", { json: { recipients } })).results;
const describeDomain = (domain: string): Promise<DomainDescription> =>
  callJson<DomainDescription>(env, `/v1/domains/${domain}`);
/** A publish makes an isolate ask again, and the question takes along what was counted before. */
const report = async (bindings: typeof env): Promise<void> => {
  await publish(bindings, `${crypto.randomUUID()}.example`, ["a"]);
  await ask(bindings, [`x@${D}`]);
};

it("holds names that left and are asked for, until a person says that they left", {
  timeout: 600_000,
}, async () => {
  const head = await publish(env, D, names(45, 15), {
    expect: (await describeDomain(D)).generation,
    force: true,
  });
  const isolate = freshEnv();
  const left = names(12).map((name) => `${name}@${D}`);
  // Names that never existed do not count.
  const guesses = Array.from({ length: 300 }, (_, i) => `guess${i}@${D}`);
  expect((await ask(isolate, [...left, ...guesses])).slice(0, 12).map(({ verdict }) => verdict)).toEqual(
    left.map(() => "departed"),
  );
  await report(isolate);
  expect((await describeDomain(D)).brake).toBeNull();
  // The row is written after a minute.
  await expect
    .poll(async () => (await describeDomain(D)).brake, { timeout: 500_000, interval: 2_000 })
    .toEqual({ held: 15, since: expect.any(Number), left: 15, asked: expect.any(Number) });
  const { generation, brake } = await describeDomain(D);
  expect(generation).toBeGreaterThan(head);
  expect(brake?.asked).toBeGreaterThanOrEqual(11);
  expect(brake?.asked).toBeLessThanOrEqual(13);
  const { domains } = await callJson<DomainList>(env, "/v1/domains");
  expect(domains.find(({ domain }) => domain === D)?.brake).toEqual(brake);
  expect(await ask(freshEnv(), [left[0] as string, `m14@${D}`, `guess1@${D}`])).toMatchObject([
    { verdict: "departed", action: "defer" },
    { verdict: "departed", action: "defer" },
    { verdict: "unknown", action: "reject", generation },
  ]);
  // Nobody else's token may say that they left, nor without the head that it has seen.
  const release = `/v1/domains/${D}/brake`;
  const json = { role: "publish", domains: [SOFT] };
  const { token } = await callJson<TokenCreated>(env, "/v1/tokens", { json });
  const other = await call(env, `${release}?expect=${generation}`, { method: "DELETE", token });
  expect(other.status).toBe(403);
  const late = await call(env, `${release}?expect=${head}`, { method: "DELETE" });
  expect(((await late.json()) as ErrorBody).error.code).toBe("conflict");
  const released = await callJson<HeadResult>(env, `${release}?expect=${generation}`, { method: "DELETE" });
  expect(await ask(env, left)).toMatchObject(left.map(() => ({ verdict: "unknown", action: "reject" })));
  expect((await describeDomain(D)).brake).toBeNull();
  const { generations } = await callJson<GenerationList>(env, `/v1/domains/${D}/generations`);
  expect(generations.slice(0, 2)).toMatchObject([
    {
      generation: released.generation,
      action: "release",
      by: "admin",
      note: "15 names that left are refused",
    },
    {
      generation,
      action: "brake",
      by: "registry",
      note: expect.stringMatching(/^1[123] of 15 names that left/),
    },
  ]);
  const { audit } = await callJson<AuditList>(env, "/v1/audit");
  const own = audit.filter(({ subject }) => subject === D).map(({ action, by }) => `${action} ${by}`);
  expect(own.slice(0, 2)).toEqual(["release admin", "brake registry"]);
});

it("a list in a softer mode has the number of distinct names that enforce mode would have refused", async () => {
  const isolate = freshEnv();
  const unknown = Array.from({ length: 30 }, (_, i) => `nobody${i}@${SOFT}`);
  const answers = await ask(isolate, [...unknown, ...unknown, `m0@${SOFT}`, `postmaster@${SOFT}`]);
  expect(answers.every(({ action }) => action === "accept")).toBe(true);
  await report(isolate);
  const wouldRefuse = async (): Promise<number | null> => (await describeDomain(SOFT)).would_refuse;
  expect(await wouldRefuse()).toBeGreaterThanOrEqual(27);
  expect(await wouldRefuse()).toBeLessThanOrEqual(33);
  expect((await describeDomain(D)).would_refuse).toBeNull();
  const { domains } = await callJson<DomainList>(env, "/v1/domains");
  expect(domains.find(({ domain }) => domain === SOFT)?.would_refuse).toBe(await wouldRefuse());
});

it("a replica reports names too, of its own domains, in the form that the contract says", async () => {
  const { token } = await callJson<TokenCreated>(env, "/v1/tokens", {
    json: { role: "replica", domains: [SOFT] },
  });
  const sketch = newSketch();
  for (let i = 0; i < 40; i++) addToSketch(sketch, fingerprint(keyFor(SOFT, 1).names, `else${i}`));
  const packed = toBase64Url(packSketch(sketch));
  const before = (await describeDomain(SOFT)).would_refuse as number;
  const question = { partition: 0, since: null, nonce: "n" };
  const send = (asked: unknown): Promise<Response> =>
    call(env, "/v1/changes", { token, json: { ...question, asked } });
  expect(((await (await send([[SOFT, 0, packed]])).json()) as ChangesAnswer).nonce).toBe("n");
  const after = (await describeDomain(SOFT)).would_refuse as number;
  expect(after).toBeGreaterThan(before + 25);
  for (const [asked, words] of [
    [[[D, 0, packed]], "asked[0] names a domain that this token does not cover"],
    [[[SOFT, 0, packed, 1]], "asked[0] must be"],
    [[[SOFT, -1, packed]], "asked[0] must be"],
    [[[SOFT, 2 ** 32, packed]], "asked[0] must be"],
    [[[SOFT, 0.5, packed]], "asked[0] must be"],
    [[["Soft.example", 0, packed]], "asked[0] must be"],
    [[["", 0, packed]], "asked[0] must be"],
    [[[SOFT, 0, ""]], "asked[0] must be"],
    [[[SOFT, 0, "AAEC"]], "asked[0] must be"],
    [[[SOFT, 0, "A=="]], "asked[0] must be"],
    [[[SOFT, 0, "AAE".repeat(300)]], "asked[0] must be"],
    [[[SOFT, 0, 7]], "asked[0] must be"],
    [["x"], "asked[0] must be"],
    [[], "asked must be a list of 1 to 1024"],
    [Array.from({ length: 1_025 }, () => [SOFT, 0, packed]), "asked must be a list of 1 to 1024"],
  ] as const) {
    const refused = await send(asked);
    expect([words, refused.status]).toEqual([words, 400]);
    expect(((await refused.json()) as ErrorBody).error.message).toContain(words);
  }
  expect((await describeDomain(SOFT)).would_refuse).toBe(after);
});

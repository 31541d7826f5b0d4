/** Revocations with several partitions: each partition confirms on its own, so each must know all of them. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { ChangesAnswer, RegistryStatus, TokenCreated } from "../../src/api/index.ts";
import { partitionOf } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { call, callJson, freshEnv, publish, registryStub, type testEnv } from "./support/edge.ts";

const PARTITIONS = 3;
const isolate = (): typeof testEnv => freshEnv({ ROLLCALL_PARTITIONS: String(PARTITIONS) });
const env = isolate();

/** Domains of one partition that nothing else in this file uses. */
function* domainsOf(partition: number): Generator<string, string> {
  for (let i = 0; ; i++) {
    const domain = `d${i}.example`;
    if (partitionOf(stablelibHashing, domain, PARTITIONS) === partition) yield domain;
  }
}
const [first, second, third] = [0, 1, 2].map((partition) => domainsOf(partition).next().value) as [
  string,
  string,
  string,
];

const revokedToken = async (): Promise<string> => {
  const { id, token } = await callJson<TokenCreated>(env, "/v1/tokens", {
    json: { role: "check", domains: null },
  });
  await callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
  return token;
};

/** How a new isolate answers after its first confirmation. */
async function confirmedStatus(token: string, domain: string): Promise<number> {
  const cold = isolate();
  const ask = async (): Promise<number> => (await call(cold, `/v1/rcpt/alice%40${domain}`, { token })).status;
  await ask();
  return ask();
}

const sql = (partition: number, statement: string): Promise<unknown[]> =>
  runInDurableObject(registryStub(partition), (_, state) => state.storage.sql.exec(statement).toArray());

it("a token that was revoked before a partition was initialised is refused there, whatever initialised it", async () => {
  await publish(env, first, ["alice"]);
  const token = await revokedToken();
  expect(await confirmedStatus(token, first)).toBe(401);
  await publish(env, second, ["alice"]);
  expect(await confirmedStatus(token, second)).toBe(401);
  const { partitions } = await callJson<RegistryStatus>(env, "/v1/registry", { method: "POST" });
  expect(partitions.every(({ incarnation }) => incarnation !== null)).toBe(true);
  await publish(env, third, ["alice"]);
  expect(await confirmedStatus(token, third)).toBe(401);
});

it("a partition that lacks a revocation gets it from the next POST /v1/registry", async () => {
  const token = await revokedToken();
  await sql(1, "DELETE FROM revocations");
  expect(await confirmedStatus(token, second)).toBe(200);
  const warm = isolate();
  expect((await call(warm, `/v1/rcpt/alice%40${second}`, { token })).status).toBe(200);
  await callJson(env, "/v1/registry", { method: "POST" });
  expect(await confirmedStatus(token, second)).toBe(401);
});

it("a partition that lacks a revocation gets it on its own, with its heartbeat", async () => {
  const token = await revokedToken();
  await sql(1, "DELETE FROM revocations");
  await sql(1, "DELETE FROM meta WHERE name = 'revocations_taken'");
  const stub = registryStub(1);
  await runInDurableObject(stub, (_, state) => state.storage.setAlarm(Date.now() + 86_400_000));
  await runDurableObjectAlarm(stub);
  expect(await confirmedStatus(token, second)).toBe(401);
});

it("each partition answers a replica with its own heads, and refuses its token from the moment it is revoked", async () => {
  const { id, token } = await callJson<TokenCreated>(env, "/v1/tokens", {
    json: { role: "replica", domains: [first, second, third] },
  });
  const ask = (partition: number): Promise<Response> =>
    call(isolate(), "/v1/changes", { json: { partition, since: null, nonce: "n" }, token });
  for (const [partition, domain] of [first, second, third].entries()) {
    const answer = (await (await ask(partition)).json()) as ChangesAnswer;
    expect(answer).toMatchObject({ partition, partitions: PARTITIONS, full: true, next: null });
    expect(answer.heads.map(([name]) => name)).toEqual([domain]);
  }
  expect((await ask(PARTITIONS)).status).toBe(400);
  await callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
  for (let partition = 0; partition < PARTITIONS; partition++)
    expect((await ask(partition)).status).toBe(401);
});

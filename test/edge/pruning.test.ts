/** What an alarm deletes from the platform's own storage. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { RegistryStatus } from "../../src/api/index.ts";
import { blobKey, manifestKey } from "../../src/directory/index.ts";
import { callJson, freshEnv, publish, registryStub, testEnv } from "./support/edge.ts";

const DOMAIN = "pruned.example";
const DAY = 86_400_000;

const bindings = freshEnv();
const stub = registryStub();

const rows = (statement: string): Promise<unknown[]> =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec(statement).toArray());

const people = (count: number): string[] => Array.from({ length: count }, (_, i) => `u${i}`);

/** Moves the Registry's timestamps into the past, and runs its alarm. */
async function pass(days: number): Promise<void> {
  for (const [table, column] of [
    ["kv_replaced", "since"],
    ["left_blobs", "since"],
    ["generations", "superseded"],
    ["blobs", "expires"],
    ["heads", "deleted"],
  ]) {
    await rows(`UPDATE ${table} SET ${column} = ${column} - ${days * DAY}`);
  }
  await runInDurableObject(stub, (_, state) => state.storage.setAlarm(Date.now() + DAY));
  await runDurableObjectAlarm(stub);
  await settled();
}

async function settled(): Promise<void> {
  for (;;) {
    const { partitions } = await callJson<RegistryStatus>(bindings, "/v1/registry");
    const deletions = await rows("SELECT key FROM kv_deletions");
    if (partitions.every(({ kv_pending }) => kv_pending === 0) && deletions.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const shardsInKv = async (): Promise<string[]> => {
  const { keys } = await testEnv.ROLLCALL_KV.list({ prefix: blobKey(DOMAIN, "") });
  return keys.map(({ name }) => name);
};

it("a replaced shard leaves KV after a day, history after thirty, and a deleted domain leaves nothing", async () => {
  await publish(bindings, DOMAIN, people(9_000), { bits: 0 });
  await settled();
  const [first] = await shardsInKv();
  await publish(bindings, DOMAIN, people(9_001), { bits: 0, expect: 1 });
  await settled();
  expect(await shardsInKv()).toHaveLength(2);

  await pass(2);
  expect(await shardsInKv()).toHaveLength(1);
  expect(await shardsInKv()).not.toContain(first);
  expect(await rows("SELECT id FROM blobs")).toHaveLength(2);
  expect(await rows("SELECT number FROM generations")).toHaveLength(2);

  await pass(31);
  expect(await rows("SELECT id FROM blobs")).toHaveLength(1);
  expect(await rows("SELECT number FROM generations")).toEqual([{ number: 2 }]);

  await callJson(bindings, `/v1/domains/${DOMAIN}?expect=2`, { method: "DELETE" });
  await settled();
  await pass(31);
  await pass(1);
  expect(await rows("SELECT id FROM blobs")).toEqual([]);
  expect(await rows("SELECT number FROM generations")).toEqual([]);
  expect(await shardsInKv()).toEqual([]);
  expect(await testEnv.ROLLCALL_KV.get(manifestKey(DOMAIN))).toBeNull();
});

/* A Registry whose storage was restored to an earlier time: KV shows what it lost. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { DomainDescription } from "../../src/api/index.ts";
import { callJson, freshEnv, publish, testEnv } from "./support/edge.ts";

const D = "restored.example";
const env = freshEnv();
const stub = testEnv.REGISTRY.getByName("registry 0");

const show = (): Promise<DomainDescription> => callJson<DomainDescription>(env, `/v1/domains/${D}`);

async function copied(generation: number): Promise<void> {
  while ((await show()).kv.generation !== generation) {
    await runDurableObjectAlarm(stub);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Every row of the Registry's storage. */
const snapshot = (): Promise<(() => void)[]> =>
  runInDurableObject(stub, (_, { storage }) => {
    const tables = storage.sql.exec("SELECT name FROM sqlite_master WHERE type = 'table'").toArray();
    const own = tables.map(({ name }) => name as string).filter((name) => !/^(_cf|sqlite)/.test(name));
    return own.map((table) => {
      const rows = storage.sql.exec(`SELECT * FROM ${table}`).toArray();
      return () => {
        storage.sql.exec(`DELETE FROM ${table}`);
        for (const row of rows) {
          const names = Object.keys(row).map((name) => `"${name}"`);
          const values = `(${names.join()}) VALUES (${names.map(() => "?").join()})`;
          storage.sql.exec(`INSERT INTO ${table} ${values}`, ...Object.values(row));
        }
      };
    });
  });

it("KV is equal, then behind, and ahead once the storage is restored", async () => {
  await publish(env, D, ["alice"]);
  await copied(1);
  expect((await show()).kv).toEqual({ state: "equal", generation: 1 });
  const restore = await snapshot();
  await publish(env, D, ["alice", "bob"], { expect: 1 });
  await copied(2);
  expect((await show()).kv).toEqual({ state: "equal", generation: 2 });
  await runInDurableObject(stub, (_, { storage }) =>
    storage.transactionSync(() => {
      for (const put of restore) put();
    }),
  );
  expect(await show()).toMatchObject({ generation: 1, kv: { state: "ahead", generation: 2 } });
});

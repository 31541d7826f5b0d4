/* A Registry whose storage was restored to an earlier time: KV and isolates know what it lost. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type {
  AuditRecord,
  DomainDescription,
  GenerationList,
  RegistryStatus,
  RestoredResult,
  TokenCreated,
} from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import type { Env } from "../../src/edge/worker.ts";
import { call, callJson, freshEnv, publish, registryStub, tryPublish } from "./support/edge.ts";
import { redeployRegistry, setPaused } from "./support/paused.ts";

const D = "restored.example";
const LATER = "later.example";
const GUARDED = "guarded.example";
const WINDOW = 2;
const stub = registryStub();
/** Isolates with a window that a test can wait for. */
const isolate = (): Env => freshEnv({ ROLLCALL_WINDOW: String(WINDOW) });
const env = isolate();

const show = (): Promise<DomainDescription> => callJson<DomainDescription>(env, `/v1/domains/${D}`);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const windowIsOver = (): Promise<void> => wait(1000 * WINDOW + 100);

const check = (of: Env, name: string): Promise<Answer> =>
  call(of, "/v1/rcpt", { json: { recipient: name.includes("@") ? name : `${name}@${D}` } }).then(
    (response) => response.json() as Promise<Answer>,
  );
const verdict = async (of: Env, name: string): Promise<string> => (await check(of, name)).verdict;

async function copied(generation: number): Promise<void> {
  while ((await show()).kv.generation !== generation) {
    await runDurableObjectAlarm(stub);
    await wait(50);
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

/** What point-in-time recovery does. */
const restore = (tables: readonly (() => void)[]): Promise<void> =>
  runInDurableObject(stub, (_, { storage }) =>
    storage.transactionSync(() => {
      for (const put of tables) put();
    }),
  );

const registryOf = async (): Promise<RegistryStatus["partitions"][number]> => {
  const { partitions } = await callJson<RegistryStatus>(env, "/v1/registry");
  return partitions[0] as RegistryStatus["partitions"][number];
};

const restored = (json: unknown, token?: string): Promise<Response> =>
  call(env, "/v1/registry/restored", { json, ...(token === undefined ? {} : { token }) });

beforeEach(() => setPaused(false));

it("KV is equal, then behind, and ahead once the storage is restored", async () => {
  await publish(env, D, ["alice"]);
  await copied(1);
  expect((await show()).kv).toEqual({ state: "equal", generation: 1 });
  const tables = await snapshot();
  await publish(env, D, ["alice", "bob"], { expect: 1 });
  await copied(2);
  expect((await show()).kv).toEqual({ state: "equal", generation: 2 });
  await restore(tables);
  expect(await show()).toMatchObject({ generation: 1, kv: { state: "ahead", generation: 2 } });
});

describe("POST /v1/registry/restored", () => {
  it("is refused for a Registry that is not paused, and changes nothing", async () => {
    const before = await registryOf();
    expect(before.paused).toBe(false);
    const response = await restored({ partition: 0, expect: before.incarnation });
    expect(response.status).toBe(409);
    expect(await response.text()).toMatch(/not paused.*ROLLCALL_PAUSED/);
    expect(await registryOf()).toEqual(before);
  });

  it.each([
    ["no such partition", { partition: 1, expect: 1 }, 400],
    ["a missing member", { partition: 0 }, 400],
    ["an unknown member", { partition: 0, expect: 1, force: true }, 400],
    ["another incarnation", { partition: 0, expect: 1 }, 409],
  ])("is refused with %s, and changes nothing", async (_, body, status) => {
    await setPaused(true);
    const before = await registryOf();
    expect((await restored(body)).status).toBe(status);
    expect(await registryOf()).toEqual(before);
  });

  it("lets no isolate answer from the wrong state, before and after it", async () => {
    const { generation } = await show();
    const tables = await snapshot();
    // Lost: a mailbox that came, one that went, a whole domain, and a revocation.
    const busy = isolate();
    await publish(env, D, ["alice", "carol"], { expect: generation });
    await publish(env, LATER, ["dave"]);
    const { id, token } = await callJson<TokenCreated>(env, "/v1/tokens", {
      json: { role: "check", domains: [D] },
    });
    await callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
    await copied((await show()).generation);
    const lost = await registryOf();
    // The roster is written when the served domains change, and when a token is revoked.
    while ((await registryOf()).kv_pending > 0) await runDurableObjectAlarm(stub).then(() => wait(50));
    expect(await verdict(busy, "carol")).toBe("deliverable");
    expect(await verdict(busy, "nobody")).toBe("unknown");

    await setPaused(true);
    await restore(tables);
    await windowIsOver();
    const isTrueOrDeferred = async (of: Env): Promise<void> => {
      for (const name of ["alice", "carol", `dave@${LATER}`]) {
        expect((await check(of, name)).action, name).toMatch(/^(accept|defer)$/);
      }
      for (const name of ["nobody", `nobody@${LATER}`]) {
        expect((await check(of, name)).action, name).toBe("defer");
      }
    };
    await isTrueOrDeferred(busy);
    await isTrueOrDeferred(isolate());

    const before = await registryOf();
    expect(before).toMatchObject({ paused: true, incarnation: lost.incarnation });
    expect(before.as_of).toBeLessThan(lost.as_of);
    const result = await callJson<RestoredResult>(env, "/v1/registry/restored", {
      json: { partition: 0, expect: before.incarnation },
    });
    expect(result).toMatchObject({ partition: 0, continued: 1, revoked: 1, lost: [LATER], unusable: [] });
    expect(result.incarnation).toBeGreaterThan(lost.incarnation as number);
    // A second time it would be another log.
    expect((await restored({ partition: 0, expect: before.incarnation })).status).toBe(409);
    // Paused still: the lists are old.
    await isTrueOrDeferred(busy);
    await isTrueOrDeferred(isolate());

    // The lists are published again while it is paused.
    const { generation: head } = await show();
    expect(head).toBeGreaterThan(before.as_of);
    await publish(env, D, ["alice", "carol"], { expect: head, force: true });
    await publish(env, LATER, ["dave"]);
    await isTrueOrDeferred(busy);
    await setPaused(false);
    await windowIsOver();
    for (const each of [busy, env, isolate()]) {
      for (const name of ["alice", "carol", `dave@${LATER}`]) {
        expect(await verdict(each, name), name).toBe("deliverable");
      }
      // Who else was listed before it was restored is lost: nobody is refused for a day.
      expect(await verdict(each, "nobody")).toBe("departed");
      expect(await verdict(each, `nobody@${LATER}`)).toBe("unknown");
      expect((await call(each, "/v1/rcpt", { json: { recipient: `alice@${D}` }, token })).status).toBe(401);
    }
    await copied((await show()).generation);
    const described = await show();
    expect(described.kv.state).toBe("equal");
    expect(described.refuses_from).toBeGreaterThan(Date.now() + 86_300_000);
  });

  it("is recorded in the audit trail, and in the history as an override", async () => {
    const { audit } = await callJson<{ audit: AuditRecord[] }>(env, "/v1/audit");
    expect(audit.find(({ action }) => action === "registry restored")).toMatchObject({
      by: "admin",
      subject: "registry 0",
      detail: expect.stringMatching(/continues as \d+; 1 heads, 1 revocations from KV; override/),
    });
    const { generations } = await callJson<GenerationList>(env, `/v1/domains/${D}/generations`);
    expect(generations[1]).toMatchObject({
      action: "rollback",
      forced: true,
      note: `restored from generation 1`,
    });
  });

  it("leaves the guard in force: what a restored list loses counts", async () => {
    const names = Array.from({ length: 10 }, (_, i) => `user${i}`);
    await publish(env, GUARDED, names);
    await setPaused(true);
    const { incarnation } = await registryOf();
    const { as_of } = await callJson<RestoredResult>(env, "/v1/registry/restored", {
      json: { partition: 0, expect: incarnation },
    });
    await setPaused(false);
    const expected = {
      expect: (await callJson<DomainDescription>(env, `/v1/domains/${GUARDED}`)).generation,
    };
    expect(expected.expect).toBeLessThan(as_of);
    expect((await tryPublish(env, GUARDED, names.slice(3), expected)).status).toBe(422);
    expect((await tryPublish(env, GUARDED, names.slice(2), expected)).status).toBe(200);
  });

  it("names the lists of another master key, and leaves them: they stay deferred", async () => {
    const other = "b3RoZXItbWFzdGVyLWtleS1vZi10aGlydHktdHdvLWI";
    await redeployRegistry({ ROLLCALL_PAUSED: "true", ROLLCALL_MASTER_KEY: other });
    const before = await registryOf();
    const result = await callJson<RestoredResult>(env, "/v1/registry/restored", {
      json: { partition: 0, expect: before.incarnation },
    });
    expect(result).toMatchObject({
      continued: 0,
      unusable: [GUARDED, LATER, D].sort(),
      lost: [],
      revoked: 0,
    });
    await setPaused(false);
    await windowIsOver();
    expect((await check(isolate(), "nobody")).action).toBe("defer");
  });
});

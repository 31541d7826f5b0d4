/** Listings of many domains and of long histories: in pages, and without reading the lists themselves. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  type DomainList,
  type DomainSummary,
  type GenerationList,
  type GenerationRecord,
  MAX_WHOLE,
} from "../../src/api/index.ts";
import { RegistryCore } from "../../src/registry/object/registry.ts";
import type { RegistryStorage, SqlRow } from "../../src/registry/ports.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { must, World } from "../../testing/world.ts";

const D = "example.com";
const PLACE = { partition: 0, partitions: 1 };
const ALL = { after: null, limit: MAX_WHOLE };

describe("a listing", () => {
  let world: World;
  let isolate: IsolateHost;

  beforeEach(() => {
    world = new World();
    isolate = world.isolate();
  });

  /** The Registry over its own storage, and the statements that look at manifests. */
  function watched(): { core: RegistryCore; manifests: string[] } {
    const manifests: string[] = [];
    const sql = (statement: string, ...bindings: (string | number)[]): SqlRow[] => {
      if (/manifest|(?<!count\()\*/.test(statement)) manifests.push(statement);
      return world.registry().sql(statement, ...bindings);
    };
    const core = new RegistryCore({
      storage: {
        sql: sql as RegistryStorage["sql"],
        transaction: (work) => work(),
        setAlarm: () => undefined,
      },
      kv: world.kv.at("registry"),
      ports: world.ports,
      settings: world.settings,
      place: PLACE,
      revocations: async () => ({ ok: true, value: [] }),
    });
    return { core, manifests };
  }

  const publishMany = async (): Promise<void> => {
    for (let i = 0; i < 7; i++) await world.publish(isolate, `d${i}.example`, people(3 + i));
    for (let i = 0; i < 7; i++) await world.publish(isolate, D, people(20 + i));
    await world.remove(isolate, "d3.example");
  };

  it("of domains or of a history reads no manifest", async () => {
    await publishMany();
    const { core, manifests } = watched();
    expect(await core.domains(ALL)).toMatchObject({ ok: true, value: { length: 8 } });
    expect(await core.generations(D, ALL)).toMatchObject({ ok: true, value: { length: 7 } });
    expect(await core.domains({ after: "d1.example", limit: 2 })).toMatchObject({ value: { length: 2 } });
    expect(await core.question({ since: null, want: null })).toMatchObject({ ok: true });
    expect(manifests).toEqual([]);
  });

  it("loses the summaries of pruned generations, whichever release prunes", async () => {
    await publishMany();
    world.registry().sql("DELETE FROM generations WHERE domain = 'd1.example'");
    expect(world.registry().sql("SELECT number FROM summaries WHERE domain = 'd1.example'")).toEqual([]);
    expect(world.registry().sql("SELECT number FROM summaries WHERE domain = 'd2.example'")).toHaveLength(1);
  });

  it("comes in pages that together are complete, over several partitions too", async () => {
    for (const partitions of [1, 3]) {
      world = new World({ partitions });
      isolate = world.isolate();
      for (let i = 0; i < 11; i++) await world.publish(isolate, `d${i}.example`, ["alice"]);
      for (let i = 0; i < 5; i++) await world.publish(isolate, D, people(3 + i));
      for (const limit of [1, 4, 6, 12, 1000]) {
        const domains: DomainSummary[] = [];
        for (let query = `limit=${limit}`; query !== ""; ) {
          const { body } = await must(isolate.call(`/v1/domains?${query}`));
          const page = body as DomainList;
          domains.push(...page.domains);
          expect(page.domains.length).toBeLessThanOrEqual(limit);
          query = page.next === null ? "" : `limit=${limit}&after=${page.next}`;
        }
        const whole = (await must(isolate.call("/v1/domains"))).body as DomainList;
        expect(whole.next).toBeNull();
        // Time passes with each request, and the age with it.
        const ageless = (each: readonly DomainSummary[]): unknown[] => each.map((it) => ({ ...it, age: 0 }));
        expect(ageless(domains)).toEqual(ageless(whole.domains));
        expect(domains.map(({ domain }) => domain)).toEqual(
          [D, ...Array.from({ length: 11 }, (_, i) => `d${i}.example`)].sort(),
        );
        const generations: GenerationRecord[] = [];
        for (let query = `limit=${limit}`; query !== ""; ) {
          const { body } = await must(isolate.call(`/v1/domains/${D}/generations?${query}`));
          const page = body as GenerationList;
          generations.push(...page.generations);
          query = page.next === null ? "" : `limit=${limit}&after=${page.next}`;
        }
        const history = (await must(isolate.call(`/v1/domains/${D}/generations`))).body as GenerationList;
        expect(generations).toEqual(history.generations);
        expect(generations).toHaveLength(5);
      }
    }
  });

  it.each(["limit=0", "limit=1001", "limit=x", "limit=1.5", "limit=-1", "limit=", "after="])(
    "with %s is an error",
    async (query) => {
      await world.publish(isolate, D, ["alice"]);
      for (const path of ["/v1/domains", `/v1/domains/${D}/generations`]) {
        expect(await isolate.call(`${path}?${query}`)).toMatchObject({
          status: 400,
          body: { error: { code: "bad_request" } },
        });
      }
    },
  );

  it("of a domain that was never published is not found on any page, and is empty after the last line", async () => {
    await world.publish(isolate, D, ["alice"]);
    for (const query of ["", "?limit=5", "?after=7"]) {
      expect((await isolate.call(`/v1/domains/nowhere.example/generations${query}`)).status).toBe(404);
    }
    const empty = await must(isolate.call(`/v1/domains/${D}/generations?after=1`));
    expect(empty.body).toEqual({ domain: D, generations: [], next: null });
    expect((await must(isolate.call("/v1/domains?after=zzz"))).body).toEqual({ domains: [], next: null });
  });

  it("that is too long is an error for a client that does not use pages, and never incomplete", async () => {
    await world.publish(isolate, D, ["alice"]);
    world.registry().sql(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_WHOLE - 1})
       INSERT INTO heads (domain, number) SELECT printf('x%05d.example', i), 1 FROM n`,
    );
    world.registry().sql(
      `INSERT INTO summaries (domain, number, time, mode, active, disabled, "full", moved, departures, alias,
       deleted_until, epoch, key_id, canonicaliser, bits, patterns) SELECT h.domain, 1, time, mode, active, disabled, "full", moved, departures, s.alias,
       deleted_until, epoch, key_id, canonicaliser, bits, patterns FROM heads h, summaries s WHERE h.domain != '${D}'`,
    );
    expect(await isolate.call("/v1/domains")).toMatchObject({
      status: 400,
      body: { error: { code: "bad_request", message: expect.stringContaining("limit=1000") } },
    });
    expect((await must(isolate.call("/v1/domains?limit=1000"))).body).toMatchObject({
      domains: { length: 1000 },
      next: "x00998.example",
    });
    world.registry().sql("DELETE FROM heads WHERE domain = 'x00000.example'");
    expect((await must(isolate.call("/v1/domains"))).body).toMatchObject({
      domains: { length: MAX_WHOLE },
      next: null,
    });
  });
});

describe("a Registry of many domains", () => {
  it("finds those that wait for KV, are aliases, deleted or new without scanning all of them", () => {
    const world = new World();
    const seen = new Set<string>();
    for (const statement of [
      "SELECT count(*) AS n FROM heads WHERE kv_number < number",
      "SELECT min(max(kv_time + 1, coalesce(kv_next, 0))) AS due FROM heads WHERE kv_number < number",
      "SELECT 1 FROM heads WHERE kv_number < number AND kv_failures > 0 LIMIT 1",
      "SELECT domain FROM heads WHERE alias = 'x'",
      "SELECT domain, number FROM heads WHERE deleted IS NOT NULL AND deleted < 5 LIMIT 9",
      "SELECT domain, number FROM heads WHERE number > 5 LIMIT 9",
    ]) {
      for (const { detail } of world.registry().sql(`EXPLAIN QUERY PLAN ${statement}`))
        seen.add(String(detail));
    }
    expect([...seen].filter((each) => !/INDEX/.test(each))).toEqual([]);
  });
});
